package copytree_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"ctl/sandbox/copytree"
)

// helperEnv has what this test binary is to do in place of the tests, words separated by blanks.
const helperEnv = "CTL_TEST_COPYTREE"

// helper is a process that copies, which can be killed, or run as somebody else.
func helper() int {
	word := strings.Fields(os.Getenv(helperEnv))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	var err error
	switch word[0] {
	case "copy":
		err = copytree.Copy(ctx, word[1], word[2], copytree.Options{})
	case "remove":
		err = copytree.Remove(word[1])
	case "template":
		err = copytree.Template(ctx, word[1], word[2], copytree.Options{})
	case "ephemeral": // and keeps it until it gets SIGINT
		var t *copytree.Temporary
		if t, err = copytree.Ephemeral(ctx, word[1], copytree.Options{}); err == nil {
			<-ctx.Done()
			err = t.Remove()
		}
	case "wait": // for the end of its input
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
