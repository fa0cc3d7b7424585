package lifecycle

import (
	"math"
	"time"

	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/sandbox/service"
)

// awaitRestart waits for RestartSec= until the next start.
func (a *activity) awaitRestart() {
	a.expect(a.delay())
	a.enter(autoRestart)
}

// delay is RestartSec=, which RestartSteps= and RestartMaxDelaySec= let grow with each restart.
func (a *activity) delay() time.Duration {
	s, n := a.s, a.restarts+1
	switch {
	case n <= 1 || s.RestartSteps == 0 || s.RestartMaxDelay >= service.Forever || s.RestartDelay <= 0 || s.RestartDelay >= s.RestartMaxDelay:
		return s.RestartDelay
	case uint(n) > s.RestartSteps:
		return s.RestartMaxDelay
	}
	ratio := float64(s.RestartMaxDelay) / float64(s.RestartDelay)
	return time.Duration(float64(s.RestartDelay) * math.Pow(ratio, float64(n-1)/float64(s.RestartSteps)))
}

func (a *activity) restart() {
	a.restarts++
	a.say(term.Info, "Scheduled restart job, restart counter is at "+decimal(a.restarts)+".")
	a.begin()
}

// randomly is a time span up to a limit.
func randomly(limit time.Duration) time.Duration {
	var b [8]byte
	sys.Random(b[:])
	n := uint64(0)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return time.Duration(n % uint64(limit))
}

// newInvocation is an $INVOCATION_ID.
func newInvocation() string {
	var b [16]byte
	sys.Random(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 2*len(b))
	for _, c := range b {
		text = append(text, digits[c>>4], digits[c&15])
	}
	return string(text)
}
