package image

import "strings"

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

// defaultPolicy is that of systemd-nspawn(1).
func defaultPolicy() *Policy {
	system, data := verity|signed|luks|unprotected|absent, luks|unprotected|absent
	return &Policy{map[string]protection{"root": system, "usr": system, "home": data, "srv": data, "tmp": data, "var": data,
		"esp": unprotected | absent, "xbootldr": unprotected | absent}, ignored}
}

// Service is the policy for the images of services, systemd.image-policy(7).
func Service() *Policy {
	p := defaultPolicy()
	delete(p.of, "esp")
	delete(p.of, "xbootldr")
	return p
}

// Extensions is the policy for extensions of services, which have but a system.
func Extensions() *Policy {
	p := Service()
	for _, name := range [...]string{"home", "srv", "tmp", "var"} {
		delete(p.of, name)
	}
	return p
}

// A BadPolicy says what is wrong with a policy.
type BadPolicy string

func (b BadPolicy) Error() string { return string(b) }

// ParsePolicy parses a policy: rules NAME=FLAGS, separated by colons, of which the one without a name is for all other partitions. What
// is wrong is a BadPolicy.
func ParsePolicy(s string) (*Policy, error) {
	p := &Policy{make(map[string]protection), ignored}
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
		if !ok {
			return nil, BadPolicy("Failed to parse image policy: " + s)
		}
		if name != "" && !mentioned(name) {
			return nil, BadPolicy("Unknown partition type in image policy: " + rule)
		}
		allowed, ok := parseProtection(flags)
		if !ok {
			return nil, BadPolicy("Unknown partition policy flag in image policy: " + rule)
		}
		if name == "" {
			p.other = allowed
		} else {
			p.of[name] = allowed
		}
	}
	return p, nil
}

func parseProtection(s string) (all protection, ok bool) {
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
			return 0, false
		}
	}
	return all, true
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
func (p *Policy) allowed(r role) protection {
	if a, ok := p.of[r.name()]; ok {
		return a
	}
	return p.other
}
