package spawntest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// look shows the mounts that images are about, and what is there. The numbers of descriptors and of devices are nobody's business.
const look = `LOOK=mount | sed 's#fd/[0-9]*#fd/N#' | grep -E 'on (/|/usr|/home|/srv|/var|/var/tmp|/boot|/efi) type' | sort; ls / /home`

// TestImages runs the list of images, a fifth of it, or all (oracle.Chosen), as TestCases runs the others.
func TestImages(t *testing.T) {
	h := oracle.NewHost(t)
	images := h.Images(t)
	data, err := os.ReadFile("testdata/images/images.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := parse(string(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if !oracle.Chosen(c.title, 0, 5) {
			continue
		}
		t.Run(strconv.Itoa(c.line), func(t *testing.T) {
			c.call.Setup = oracle.ImageSetup + c.call.Setup
			c.call.Env = append(c.call.Env, look)
			c.ignore = append(c.ignore, "left") // the devices are everybody's
			want, err := reference(h, c.call)
			if err != nil {
				t.Fatalf("%s\n%v", c.title, err)
			}
			got, err := h.Run("ctl", c.call)
			if err != nil {
				t.Fatalf("%s\n%v", c.title, err)
			}
			if d := c.compare(areas(want), areas(got)); d != "" {
				t.Errorf("%s\n%s", c.title, d)
			}
		})
	}
	for _, l := range loops(t) {
		if strings.Contains(l, filepath.Dir(images)) || strings.Contains(l, oracle.HostDir) && !strings.Contains(l, "killed") { // internal/spawnguard's
			t.Errorf("left: a loop device of %s", l)
		}
	}
}

// loops are the files that loop devices show.
func loops(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	var l []string
	for _, p := range paths {
		if data, err := os.ReadFile(p); err == nil {
			l = append(l, strings.TrimSpace(string(data)))
		}
	}
	return l
}
