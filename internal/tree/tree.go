// Package tree is a directory tree that serves as the root of everything done
// through it: no path, symlink or race inside the tree leads outside.
package tree
