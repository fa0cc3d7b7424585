package launch

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Left is the name of the file in Host.Runtime that lists what is to be removed when the services have ended.
const Left = "left"

// A Leftover is a path in a tree, "/" for none, where we have perhaps mounted something.
type Leftover struct {
	Tree, Path string
	Mounted    bool
}

// openLeft opens the list, which is out of reach in a tree.
func (r *Room) openLeft() (err error) {
	if r.h.Runtime != "" {
		r.left, err = os.OpenFile(r.h.Runtime+"/"+Left, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	}
	return err
}

// leaves lists a path before it is made.
func (r *Room) leaves(path string) { r.list(path, "") }

// leavesMounted lists a path before something is mounted there.
func (r *Room) leavesMounted(path string) { r.list(path, mounted) }

const mounted = " mounted"

func (r *Room) list(path, how string) {
	if r.left == nil {
		return
	}
	tree := r.h.Tree
	if tree == "" {
		tree = "/"
	}
	_, _ = r.left.WriteString(strconv.Quote(tree) + " " + strconv.Quote(path) + how + "\n")
}

// Leftovers reads the list.
func Leftovers(text string) []Leftover {
	var all []Leftover
	for line := range strings.Lines(text) {
		line, was := strings.CutSuffix(strings.TrimSuffix(line, "\n"), mounted)
		first, err := strconv.QuotedPrefix(line)
		if err != nil {
			continue
		}
		tree, err := strconv.Unquote(first)
		path, err2 := strconv.Unquote(strings.TrimSpace(line[len(first):]))
		if err == nil && err2 == nil {
			all = append(all, Leftover{tree, path, was})
		}
	}
	return all
}
