package image

import (
	"errors"
	"strings"
)

// A Policy says which partitions an image may have, and how protected they must be, systemd.image-policy(7).
type Policy struct {
	of    map[string]protection
	other protection
}

// protection are the states that a partition may be in.
type protection int

const (
	verity protection = 1 << iota
	signed
	luks
	unprotected
	unused
	absent

	ignored = unused | absent
	open    = verity | signed | luks | unprotected | ignored
)

// DefaultPolicy is that of systemd-nspawn(1).
func DefaultPolicy() Policy {
	system, data := verity|signed|luks|unprotected|absent, luks|unprotected|absent
	return Policy{map[string]protection{"root": system, "usr": system, "home": data, "srv": data, "tmp": data, "var": data,
		"esp": unprotected | absent, "xbootldr": unprotected | absent}, ignored}
}

// An UnknownPart names what a policy is about that is no partition.
type UnknownPart string

func (u UnknownPart) Error() string { return "Unknown partition type in image policy: " + string(u) }

// ErrUnknownFlag is said of a policy that asks for what there is not.
var ErrUnknownFlag = errors.New("unknown protection of a partition")

// ParsePolicy parses a policy: rules NAME=FLAGS, separated by colons, of which the one without a name is for all other partitions.
func ParsePolicy(s string) (Policy, error) {
	p := Policy{make(map[string]protection), ignored}
	switch s {
	case "*":
		p.other = open
		return p, nil
	case "-":
		return p, nil
	case "~":
		p.other = absent
		return p, nil
	}
	for rule := range strings.SplitSeq(s, ":") {
		name, flags, ok := strings.Cut(rule, "=")
		if rule == "" {
			continue
		}
		if !ok || name != "" && !mentioned(name) {
			return p, UnknownPart(rule)
		}
		allowed, err := parseProtection(flags)
		if err != nil {
			return p, err
		}
		if name == "" {
			p.other = allowed
		} else {
			p.of[name] = allowed
		}
	}
	return p, nil
}

func parseProtection(s string) (protection, error) {
	var all protection
	for f := range strings.SplitSeq(s, "+") {
		switch f {
		case "verity":
			all |= verity
		case "signed":
			all |= signed
		case "encrypted", "encryptedwithintegrity":
			all |= luks
		case "unprotected":
			all |= unprotected
		case "unused":
			all |= unused
		case "absent":
			all |= absent
		case "open":
			all |= open
		case "ignore":
			all |= ignored
		case "read-only-on", "read-only-off", "growfs-on", "growfs-off":
		default:
			return 0, ErrUnknownFlag
		}
	}
	return all, nil
}

// mentioned tells whether a policy may be about a partition called so.
func mentioned(name string) bool {
	for _, v := range [...]string{"", "-verity", "-verity-sig"} {
		if name == "root"+v || name == "usr"+v {
			return true
		}
	}
	for r := root; r < roles; r++ {
		if r.name() == name {
			return true
		}
	}
	return name == "swap"
}

// allowed is what a partition of the role may be.
func (p Policy) allowed(r role) protection {
	if a, ok := p.of[r.name()]; ok {
		return a
	}
	return p.other
}
