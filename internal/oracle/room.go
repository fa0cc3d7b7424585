package oracle

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// kept are the names in the root of a tree that are not the tree's: the programs that run
// in it, and where their /proc is mounted.
var kept = [...]string{programs, "/proc"}

// programs is where in a tree the programs lie that are to be run in it (Chroot).
const programs = "/.programs"

// roomEnv has the root directory for a test binary that is to serve as a room.
const roomEnv = "CTL_TEST_ROOM"

// A room runs programs in a chroot. It is a process, this test binary once more, that
// is the first one of a PID namespace and lives outside the chroot, as on a host that builds an image.
type room struct {
	sync.Mutex
	calls   *gob.Encoder
	results *gob.Decoder
}

// A call is what a room is asked to run.
type call struct {
	Path      string
	Args, Env []string
	Dir       string
	Input     string
}

// Chroot copies the programs into the tree at root and returns them as programs that
// run there, with /proc mounted. It takes root's rights.
func Chroot(t testing.TB, root string, l ...Program) []Program {
	t.Helper()
	NeedRoot(t, "a chroot")
	r, err := newRoom(t, root)
	if err != nil {
		t.Fatal(err)
	}
	l = slices.Clone(l)
	for i, p := range l {
		q := Program{Name: p.Name, argv: []string{root + programs + "/ctl"}}
		if p.Name == "ctl" {
			err = copyFile(q.argv[0], p.argv[0])
		} else {
			q, err = CopyReference(p, root+programs)
		}
		if err != nil {
			t.Fatal(err)
		}
		for k := range q.argv {
			q.argv[k] = strings.TrimPrefix(q.argv[k], root)
		}
		q.room = r
		l[i] = q
	}
	return l
}

func newRoom(t testing.TB, root string) (*room, error) {
	for _, d := range kept {
		if err := os.MkdirAll(root+d, 0o755); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roomEnv+"="+root)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		in.Close() // it ends
		if err := cmd.Wait(); err != nil {
			t.Errorf("the room: %v", err)
		}
	})
	return &room{calls: gob.NewEncoder(in), results: gob.NewDecoder(out)}, nil
}

// run has the room run a command.
func (r *room) run(c call) (Result, error) {
	r.Lock()
	defer r.Unlock()
	if err := r.calls.Encode(c); err != nil {
		return Result{}, err
	}
	var result Result
	err := r.results.Decode(&result)
	return result, err
}

// serve is what a room does: calls from its input, results to its output.
func serve(root string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	calls, results := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	for {
		var c call
		if err := calls.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result, err := run(c, root)
		if err != nil {
			return err
		}
		if err := results.Encode(result); err != nil {
			return err
		}
	}
}
