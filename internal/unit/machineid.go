package unit

import (
	"encoding/hex"
	"strings"
	"syscall"
)

// MachineID returns the ID that a machine-id(5) file holds, in lower case. ENOMEDIUM:
// the file is empty, or the ID zero. ENOPKG: it says "uninitialized". EUCLEAN, and EINVAL where
// it is as long as that word: it holds something else.
func MachineID(data []byte) (string, error) {
	s := string(data[:min(len(data), 64)])
	switch len(s) {
	case 0:
		return "", syscall.ENOMEDIUM
	case len("uninitialized"), len("uninitialized\n"):
		if strings.TrimSuffix(s, "\n") == "uninitialized" {
			return "", syscall.ENOPKG
		}
		return "", syscall.EINVAL
	}
	id := strings.TrimSuffix(s, "\n")
	if len(id) != 32 {
		return "", syscall.EUCLEAN
	}
	b, err := hex.DecodeString(id)
	if err != nil {
		return "", syscall.EUCLEAN
	}
	if strings.Trim(id, "0") == "" {
		return "", syscall.ENOMEDIUM
	}
	return hex.EncodeToString(b), nil
}

// UUID is an ID of 32 digits with the dashes of RFC 9562; what has another length stays as it is.
func UUID(id string) string {
	if len(id) != 32 {
		return id
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}
