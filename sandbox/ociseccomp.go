package sandbox

import (
	"slices"

	"golang.org/x/sys/unix"

	"ctl/internal/json"
	"ctl/sandbox/seccomp"
)

// policy is which system calls may be made. Groups that there are not are returned.
func (c *Call) policy(capabilities uint64) (seccomp.Policy, []string) {
	if c.Opt.seccomp != nil {
		var p seccomp.Policy
		p.Add(*c.Opt.seccomp)
		return p, nil
	}
	return seccomp.Container(capabilities, c.Opt.allowCalls, c.Opt.denyCalls)
}

// seccompAction is what a bundle has done with a call.
func seccompAction(name string) (seccomp.Action, bool) {
	switch name {
	case "SCMP_ACT_ALLOW":
		return seccomp.Allow, true
	case "SCMP_ACT_ERRNO":
		return seccomp.Errno(unix.EPERM), true
	case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD":
		return seccomp.KillThread, true
	case "SCMP_ACT_KILL_PROCESS":
		return seccomp.KillProcess, true
	case "SCMP_ACT_LOG":
		return seccomp.Log, true
	case "SCMP_ACT_TRAP":
		return seccomp.Trap, true
	}
	return 0, false
}

// seccompABIs are the names that libseccomp has for ABIs; those without one of ours are of no machine that we run on.
var seccompABIs = [...]struct{ name, abi string }{
	{"SCMP_ARCH_NATIVE", "native"}, {"SCMP_ARCH_X86_64", "x86-64"}, {"SCMP_ARCH_X86", "x86"}, {"SCMP_ARCH_X32", "x32"},
	{"SCMP_ARCH_AARCH64", "arm64"}, {"SCMP_ARCH_ARM", "arm"}, {"SCMP_ARCH_LOONGARCH64", "loongarch64"}, {"SCMP_ARCH_RISCV64", "riscv64"},
	{"SCMP_ARCH_PPC", "ppc"}, {"SCMP_ARCH_PPC64", "ppc64"}, {"SCMP_ARCH_PPC64LE", "ppc64-le"}, {"SCMP_ARCH_S390", "s390"}, {"SCMP_ARCH_S390X", "s390x"},
	{"SCMP_ARCH_MIPS", ""}, {"SCMP_ARCH_MIPS64", ""}, {"SCMP_ARCH_MIPS64N32", ""}, {"SCMP_ARCH_MIPSEL", ""}, {"SCMP_ARCH_MIPSEL64", ""},
	{"SCMP_ARCH_MIPSEL64N32", ""}, {"SCMP_ARCH_PARISC", ""}, {"SCMP_ARCH_PARISC64", ""},
}

// seccompOps are the comparisons of arguments, in the order of seccomp.Op.
var seccompOps = [...]string{"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"}

// seccomp reads which system calls may be made, instead of those that a container may make anyway.
func (b *bundle) seccomp(v *json.Value) error {
	other := v.Member("defaultAction")
	if other == nil {
		return v.Fail(unix.EINVAL, "member 'defaultAction' is missing")
	}
	action, ok := seccompAction(other.Text())
	if !ok {
		return other.Fail(unix.EINVAL, "there is no action '%s'", other.Text())
	}
	r := seccomp.NewRules(action)
	err := json.Dispatch(v, []field{
		{Name: "defaultAction", Type: json.String, Mandatory: true},
		{Name: "architectures", Type: json.Array, Set: func(_ *bundle, v *json.Value) error { return permitABIs(r, v) }},
		{Name: "syscalls", Type: json.Array, Set: func(b *bundle, v *json.Value) error { return b.seccompRules(r, v) }},
	}, b)
	b.o.seccomp = new(r.Policy())
	b.given(givenCalls)
	return err
}

func permitABIs(r *seccomp.Rules, v *json.Value) error {
	l, err := v.Strings()
	for _, name := range l {
		i := slices.IndexFunc(seccompABIs[:], func(a struct{ name, abi string }) bool { return a.name == name })
		if i < 0 {
			return v.Fail(unix.EINVAL, "there is no architecture '%s'", name)
		}
		if abi, ok := seccomp.ParseABI(seccompABIs[i].abi); ok {
			r.Permit(abi)
		}
	}
	return err
}

func (b *bundle) seccompRules(r *seccomp.Rules, v *json.Value) error {
	list := v.Elements()
	for i := range list {
		var names []string
		var action seccomp.Action
		var comparisons []seccomp.Comparison
		err := json.Dispatch(&list[i], []field{
			{Name: "names", Type: json.Array, Mandatory: true, Set: func(_ *bundle, v *json.Value) (err error) {
				names, err = v.Strings()
				return err
			}},
			{Name: "action", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
				var ok bool
				if action, ok = seccompAction(v.Text()); !ok {
					return v.Fail(unix.EINVAL, "there is no action '%s'", v.Text())
				}
				return nil
			}},
			{Name: "args", Type: json.Array, Set: func(b *bundle, v *json.Value) (err error) {
				comparisons, err = b.comparisons(v)
				return err
			}},
		}, b)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return list[i].Fail(unix.EINVAL, "there is no name of a system call")
		}
		if err := r.Add(names, action, comparisons); err != nil {
			return list[i].Fail(err.(unix.Errno), "such a rule is not possible")
		}
	}
	return nil
}

func (b *bundle) comparisons(v *json.Value) ([]seccomp.Comparison, error) {
	list := v.Elements()
	var l []seccomp.Comparison
	for i := range list {
		var c seccomp.Comparison
		var value, two uint64
		number := func(to *uint64) func(*bundle, *json.Value) error {
			return func(_ *bundle, v *json.Value) error { *to = v.Uint(); return nil }
		}
		err := json.Dispatch(&list[i], []field{
			{Name: "index", Type: json.Unsigned, Mandatory: true, Set: number(&c.Arg)},
			{Name: "value", Type: json.Unsigned, Mandatory: true, Set: number(&value)},
			{Name: "valueTwo", Type: json.Unsigned, Set: number(&two)},
			{Name: "op", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
				op := slices.Index(seccompOps[:], v.Text())
				if op < 0 {
					return v.Fail(unix.EINVAL, "there is no comparison '%s'", v.Text())
				}
				c.Op = seccomp.Op(op)
				return nil
			}},
		}, b)
		if err != nil {
			return nil, err
		}
		c.Value = value
		if c.Op == seccomp.MaskedEqual {
			c.Mask, c.Value = value, two
		}
		l = append(l, c)
	}
	return l, nil
}
