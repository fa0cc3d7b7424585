package term

import "strconv"

// Bytes writes a size with a binary unit and at most one decimal place: "512B", "1.5K", "3G".
func Bytes(n uint64) string {
	const units = "KMGTPE"
	for i := len(units); i > 0; i-- {
		whole := n >> (10 * i)
		if whole == 0 {
			continue
		}
		s := strconv.FormatUint(whole, 10)
		if tenth := (n >> (10 * (i - 1))) % 1024 * 10 / 1024; tenth > 0 {
			s += "." + strconv.FormatUint(tenth, 10)
		}
		return s + units[i-1:i]
	}
	return strconv.FormatUint(n, 10) + "B"
}
