package oracle

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Snapshot lists all files below root: what each is, its mode, and its target or contents.
func Snapshot(root string) map[string]string {
	m := make(map[string]string)
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return nil
		}
		rel := strings.TrimPrefix(p, root)
		info, err := d.Info()
		if err != nil {
			return nil
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(p)
			m[rel] = "→ " + target
		case info.Mode().IsRegular():
			data, _ := os.ReadFile(p)
			m[rel] = fmt.Sprintf("%v %q", info.Mode(), data)
		default:
			m[rel] = info.Mode().String()
		}
		return nil
	})
	return m
}

// Diff is what two snapshots differ in, "" if in nothing.
func Diff(a, b map[string]string) string {
	var lines []string
	for p, v := range a {
		if w, ok := b[p]; !ok {
			lines = append(lines, "- "+p+" "+v)
		} else if v != w {
			lines = append(lines, "- "+p+" "+v, "+ "+p+" "+w)
		}
	}
	for p, w := range b {
		if _, ok := a[p]; !ok {
			lines = append(lines, "+ "+p+" "+w)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
