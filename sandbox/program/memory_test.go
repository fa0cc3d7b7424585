package program

import (
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// say is a program that writes a text and ends.
func say(fd int, text string) *Program {
	p := &Program{}
	at := Addresses(p, []byte(text))
	p.Sys("write", None, unix.SYS_WRITE, fd, at, len(text)).Want = int8(len(text))
	p.Sys("end", None, unix.SYS_EXIT_GROUP, 7)
	return p
}

// A process that has nothing of the heap runs its program, however many are forked at the same time, and what it does not have is still ours.
func TestStart(t *testing.T) {
	kept := make([][]byte, 64)
	for i := range kept {
		kept[i] = fmt.Append(nil, i)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 25 {
				heap := FindHeap()
				if len(heap.areas) == 0 && !libc {
					t.Error("there is no heap")
				}
				if k%5 == 0 {
					heap = nil
				}
				text := fmt.Sprintf("%d and %d", i, k)
				r, w, err := os.Pipe()
				if err != nil {
					t.Error(err)
					return
				}
				pid, e := say(int(w.Fd()), text).Start(heap, uintptr(unix.SIGCHLD), w.Fd(), nil)
				w.Close()
				if e != 0 {
					t.Error(e)
					return
				}
				got, err := io.ReadAll(r)
				r.Close()
				var status unix.WaitStatus
				if _, werr := unix.Wait4(int(pid), &status, 0, nil); werr != nil || err != nil || string(got) != text || status.ExitStatus() != 7 {
					t.Errorf("%q: %q, %v, %v, status %#x", text, got, err, werr, status)
				}
			}
		})
	}
	all.Wait()
	for i := range kept {
		if string(kept[i]) != fmt.Sprint(i) {
			t.Errorf("memory has changed: %q", kept[i])
		}
	}
}
