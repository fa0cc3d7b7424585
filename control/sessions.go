package control

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"ctl/internal/term"
)

// sessionDirectory is where systemd-logind(8) keeps what is known of each session, sd_session_is_active(3).
const sessionDirectory = "/run/systemd/sessions"

// otherUsers names those who are logged in besides the caller, and tells whether there are any.
func (c *Call) otherUsers() bool {
	dir, err := os.Open(sessionDirectory)
	if err != nil {
		return false
	}
	defer dir.Close()
	ids, _ := dir.Readdirnames(-1) // in the order of the directory, as the reference has them
	found := false
	for _, id := range ids {
		if !isSession(id) {
			continue
		}
		data, err := os.ReadFile(sessionDirectory + "/" + id)
		if err != nil {
			continue // it has ended
		}
		s := readSession(string(data))
		uid, err := strconv.ParseUint(s["UID"], 10, 32)
		interactive := slices.Contains([]string{"tty", "x11", "wayland", "mir"}, s["TYPE"])
		if err != nil || s["CLASS"] != "user" || !interactive || int(uid) == os.Getuid() {
			continue
		}
		found = true
		place := "n/a"
		for _, key := range [...]string{"TTY", "SEAT", "SERVICE"} {
			if s[key] != "" {
				place = s[key]
				break
			}
		}
		c.Log(term.Warning, "User "+userName(uint32(uid))+" is logged in on "+place+".")
	}
	return found
}

// isSession tells whether a file in the directory is a session's: others are being written.
func isSession(id string) bool {
	return strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && id != ""
}

func readSession(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			m[k] = v
		}
	}
	return m
}
