// Package testdata holds the sample tree of `make demo`.
package testdata

import "embed"

// Demo is a small system: a few services, a socket, a timer and presets.
//
//go:embed all:demo
var Demo embed.FS
