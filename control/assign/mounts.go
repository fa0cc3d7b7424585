package assign

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/unit"
)

// The settings about what is mounted, about directories, and about sockets and packets.

// An imageOption is how a partition of an image is mounted.
type imageOption struct{ Partition, Options string }

// readImages reads images, what for, and how their partitions are mounted.
func readImages(key, value string) ([]manager.Assignment, error) {
	type extension struct {
		Source  string
		MayFail bool
		Options []imageOption
	}
	type mount struct {
		Source, Destination string
		MayFail             bool
		Options             []imageOption
	}
	words, err := unit.Words(value, unit.Unquote)
	if err != nil {
		return nil, err
	}
	extensions, mounts := []extension{}, []mount{}
	for _, w := range words {
		text, mayFail := strings.CutPrefix(w, "-")
		parts := strings.FieldsFunc(text+":", func(r rune) bool { return r == ':' })
		if len(parts) == 0 {
			return nil, cli.Usage("Missing argument after ':' for " + key + "=: '" + value + "'")
		}
		m := mount{Source: parts[0], MayFail: mayFail, Options: []imageOption{}}
		parts = parts[1:]
		if key == "MountImages" {
			if len(parts) == 0 {
				return nil, cli.Usage("Missing argument after ':' for " + key + "=: '" + value + "'")
			}
			m.Destination, parts = parts[0], parts[1:]
		}
		for l := range slices.Chunk(parts, 2) {
			o := imageOption{"root", l[0]}
			if len(l) == 2 {
				o = imageOption{l[0], l[1]}
			}
			m.Options = append(m.Options, o)
		}
		mounts = append(mounts, m)
		extensions = append(extensions, extension{m.Source, m.MayFail, m.Options})
	}
	if key == "MountImages" {
		return one(key, mounts, nil)
	}
	return one(key, extensions, nil)
}

// readBinds reads paths that are mounted again, elsewhere or where they are.
func readBinds(key, value string) ([]manager.Assignment, error) {
	type bind struct {
		Source, Destination string
		MayFail             bool
		Flags               uint64
	}
	words, err := unit.Words(value, unit.Unquote)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		words = []string{""} // which the manager refuses
	}
	var l []bind
	for _, w := range words {
		text, mayFail := strings.CutPrefix(w, "-")
		parts := strings.SplitN(text, ":", 3)
		b := bind{parts[0], parts[0], mayFail, syscall.MS_REC}
		if len(parts) > 1 {
			b.Destination = parts[1]
		}
		if len(parts) > 2 {
			switch parts[2] {
			case "", "rbind":
			case "norbind":
				b.Flags = 0
			default:
				return nil, cli.Usage("Unknown options: " + value)
			}
		}
		l = append(l, b)
	}
	return one(key, l, nil)
}

// readDirectories reads directories of a service, and links to them.
func readDirectories(key, value string) ([]manager.Assignment, error) {
	type link struct {
		Source, Destination string
		Flags               uint64
	}
	words, err := unit.Words(value, unit.Unquote)
	if err != nil {
		return nil, err
	}
	var names []string
	var links []link
	for _, w := range words {
		parts := strings.Split(w, ":")
		if len(parts) == 1 || len(parts) == 2 && parts[1] == "" {
			names = append(names, parts[0])
			continue
		}
		l := link{Source: parts[0], Destination: parts[1]}
		if len(parts) > 2 && parts[2] != "" {
			if parts[2] != "ro" {
				return nil, cli.Usage("Failed to parse flags for " + key + "=: '" + parts[2] + "'")
			}
			l.Flags = 1
		}
		links = append(links, l)
	}
	var all []manager.Assignment
	if names != nil {
		all = append(all, manager.Assignment{Name: key, Value: names})
	}
	if links != nil {
		all = append(all, manager.Assignment{Name: key + "Symlink", Value: links})
	}
	return all, nil
}

// readQuota reads how much may lie in a directory: a size, a share of the file system, or any.
func readQuota(key, value string) ([]manager.Assignment, error) {
	type quota struct {
		Bytes uint64
		Scale uint32
		Is    string
	}
	q := quota{math.MaxUint64, math.MaxUint32, "yes"}
	if value == "" || value == "off" {
		q.Is = "no"
		return one(key, q, nil)
	}
	if v, err := scale(value); err == nil {
		q.Scale, _ = v.(uint32)
		return one(key, q, nil)
	}
	n, err := unit.Size(value, 1024)
	if err != nil {
		return nil, cli.Usage("Failed to parse argument: " + key + "=" + value)
	}
	q.Bytes = n
	return one(key, q, nil)
}

// readSocketBind reads which ports a socket may be bound to: FAMILY:PROTOCOL:PORTS, of which some may be missing.
func readSocketBind(key, value string) ([]manager.Assignment, error) {
	type ports struct {
		Family, Protocol int32
		Number, First    uint16
	}
	if value == "" {
		return one(key, []ports{}, nil)
	}
	var p ports
	parts := strings.Split(value, ":")
	if len(parts) > 0 && (parts[0] == "ipv4" || parts[0] == "ipv6") {
		p.Family = syscall.AF_INET
		if parts[0] == "ipv6" {
			p.Family = syscall.AF_INET6
		}
		parts = parts[1:]
	}
	if len(parts) > 0 && (parts[0] == "tcp" || parts[0] == "udp") {
		p.Protocol, _ = protocol(parts[0])
		parts = parts[1:]
	}
	switch {
	case len(parts) > 1:
		return nil, syscall.EINVAL
	case len(parts) == 1 && parts[0] != "any":
		from, to, isRange := strings.Cut(parts[0], "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || last < first {
			return nil, syscall.EINVAL
		}
		p.Number, p.First = uint16(last-first+1), uint16(first)
	}
	return one(key, []ports{p}, nil)
}

// readNFTSet reads sets of nftables(8) that a unit's number is put in: SOURCE:FAMILY:TABLE:SET.
func readNFTSet(key, value string) ([]manager.Assignment, error) {
	type set struct {
		Source, Family int32
		Table, Set     string
	}
	words, err := unit.Words(value, unit.Unquote)
	l := []set{}
	for _, w := range words {
		p := strings.Split(w, ":")
		if len(p) != 4 {
			return nil, invalidSyntax(key, w)
		}
		source := slices.Index([]string{"", "", "", "cgroup", "user", "group"}, p[0])
		family := slices.Index([]string{"", "inet", "ip", "arp", "", "netdev", "", "bridge", "", "", "ip6"}, p[1])
		switch {
		case source < 1:
			return nil, cli.Usage("Failed to parse NFT set source '" + p[0] + "': Invalid argument")
		case family < 1:
			return nil, cli.Usage("Failed to parse nft protocol '" + p[1] + "': Invalid argument")
		}
		l = append(l, set{int32(source), int32(family), p[2], p[3]})
	}
	return one(key, l, err)
}
