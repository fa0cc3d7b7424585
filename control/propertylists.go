package control

import (
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
)

// arrayText writes an array of structures, of which each name has its own way.
func arrayText(name string, rows [][]any, style clock.Style) ([]string, shape) {
	switch name {
	case "EnvironmentFiles":
		return each(rows, environmentFileText)
	case "Paths", "Listen":
		return each(rows, typedText)
	case "TimersMonotonic":
		return each(rows, func(row []any) (string, bool) {
			var base string
			var value, next uint64
			ok := manager.Scan(row, &base, &value, &next)
			return "{ " + base + "=" + clock.Span(value, 1) + " ; next_elapse=" + clock.Span(next, 1) + " }", ok
		})
	case "TimersCalendar":
		return each(rows, func(row []any) (string, bool) {
			var base, spec string
			var next uint64
			ok := manager.Scan(row, &base, &spec, &next)
			at := clock.Stamp(next, style)
			if at == "" {
				at = "(null)"
			}
			return "{ " + base + "=" + spec + " ; next_elapse=" + at + " }", ok
		})
	case "DeviceAllow":
		return each(rows, pairText(" "))
	case "BPFProgram", "RootImageOptions":
		return each(rows, pairText(":"))
	case "IODeviceWeight", "IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax", "IODeviceLatencyTargetUSec":
		return each(rows, func(row []any) (string, bool) {
			var path string
			var n uint64
			ok := manager.Scan(row, &path, &n)
			if name == "IODeviceLatencyTargetUSec" {
				return path + " " + clock.Span(n, 1), ok
			}
			return path + " " + strconv.FormatUint(n, 10), ok
		})
	case "IPAddressAllow", "IPAddressDeny":
		return joined(rows, addressText)
	case "SocketBindAllow", "SocketBindDeny":
		return each(rows, socketBindText)
	case "BindPaths", "BindReadOnlyPaths":
		return joined(rows, bindPathText)
	case "TemporaryFileSystem":
		return joined(rows, func(row []any) (string, bool) {
			var path, options string
			ok := manager.Scan(row, &path, &options)
			if options != "" {
				path += ":" + options
			}
			return path, ok
		})
	case "OpenFile":
		return each(rows, openFileText)
	case "XAttrEntryPoint", "XAttrListen", "XAttrAccept":
		return each(rows, pairText("="))
	case "LogFilterPatterns":
		return each(rows, func(row []any) (string, bool) {
			var allow bool
			var pattern string
			ok := manager.Scan(row, &allow, &pattern)
			if !allow {
				pattern = "~" + pattern
			}
			return pattern, ok
		})
	case "MountImages", "ExtensionImages":
		return joined(rows, imageText)
	}
	switch {
	case strings.HasPrefix(name, "Exec"):
		return each(rows, func(row []any) (string, bool) { return execText(row, style) })
	case strings.HasSuffix(name, "DirectorySymlink"):
		return each(rows, func(row []any) (string, bool) {
			var from, to string
			var flags uint64
			return from + ":" + to, manager.Scan(row, &from, &to, &flags)
		})
	}
	return nil, unprintable
}

func environmentFileText(row []any) (string, bool) {
	var path string
	var ignore bool
	ok := manager.Scan(row, &path, &ignore)
	return path + " (ignore_errors=" + yesNo(ignore) + ")", ok
}

// typedText writes what a path or socket unit looks at: the kind comes first, the place is shown first.
func typedText(row []any) (string, bool) {
	var kind, place string
	ok := manager.Scan(row, &kind, &place)
	return place + " (" + kind + ")", ok
}

func pairText(between string) func(row []any) (string, bool) {
	return func(row []any) (string, bool) {
		var a, b string
		ok := manager.Scan(row, &a, &b)
		return a + between + b, ok
	}
}

// socketBindText writes what may be bound to, or not: family, protocol, how many ports from which on.
func socketBindText(row []any) (string, bool) {
	var family, protocol int32
	var count, port uint16
	if !manager.Scan(row, &family, &protocol, &count, &port) {
		return "", false
	}
	text := ""
	switch family {
	case 2:
		text = "ipv4:"
	case 10:
		text = "ipv6:"
	}
	switch protocol {
	case 6:
		text += "tcp"
	case 17:
		text += "udp"
	}
	switch {
	case count == 0:
		return text + "any", true
	case count == 1:
		return text + strconv.Itoa(int(port)), true
	}
	return text + strconv.Itoa(int(port)) + "-" + strconv.Itoa(int(port)+int(count)-1), true
}

func bindPathText(row []any) (string, bool) {
	const recursive = 1 << 14 // MS_REC, mount(2)
	var from, to string
	var ignore bool
	var flags uint64
	ok := manager.Scan(row, &from, &to, &ignore, &flags)
	text := from + ":" + to
	if ignore {
		text = "-" + text
	}
	if flags&recursive != 0 {
		text += ":rbind"
	}
	return text, ok
}

func openFileText(row []any) (string, bool) {
	var path, name string
	var flags uint64
	ok := manager.Scan(row, &path, &name, &flags)
	text := path + ":" + name
	if flags != 0 {
		text += ":" + strings.Join(flagNames(flags, []string{"read-only", "append", "truncate", "graceful"}), ",")
	}
	return text, ok
}

// imageText writes an image that is mounted: where from, where to if it says so, options of its partitions.
func imageText(row []any) (string, bool) {
	var from, to string
	var ignore bool
	var options [][]any
	if !manager.Scan(row, &from, &to, &ignore, &options) && !manager.Scan(row, &from, &ignore, &options) {
		return "", false
	}
	text := from
	if to != "" {
		text += ":" + to
	}
	if ignore {
		text = "-" + text
	}
	for _, o := range options {
		pair, ok := pairText(":")(o)
		if !ok {
			return "", false
		}
		text += ":" + pair
	}
	return text, true
}

// execText writes a command with what came of its last run.
func execText(row []any, style clock.Style) (string, bool) {
	x, ok := execOf(row)
	if !ok {
		return "", false
	}
	how := "ignore_errors=" + yesNo(x.ignore)
	if x.extended {
		how = "flags=" + strings.Join(x.flags, " ")
	}
	stamp := func(t uint64) string {
		if s := clock.Stamp(t, style); s != "" {
			return s
		}
		return "n/a"
	}
	return "{ path=" + x.path + " ; argv[]=" + strings.Join(x.argv, " ") + " ; " + how +
		" ; start_time=[" + stamp(x.start) + "] ; stop_time=[" + stamp(x.end) + "] ; pid=" + decimal(x.pid) +
		" ; code=" + endText(x.code) + " ; status=" + statusText(x.code, x.status) + " }", true
}
