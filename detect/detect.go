// Package detect tells where ctl runs: in a chroot, on a booted host, offline,
// in a container, under fakechroot. It is a library: it reads, never prints.
package detect
