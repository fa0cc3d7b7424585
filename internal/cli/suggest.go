package cli

import "strings"

// A name further away than this is no longer taken for a slip of the keyboard.
const suggestDistance = 5

// Suggest is the verb most like word, "" if none is: of those that begin with
// it the nearest, however far; else the nearest of all.
func (t *Table[C]) Suggest(word string) string {
	best, begins, distance := "", false, suggestDistance+1
	for i := range t.Verbs {
		v := &t.Verbs[i]
		if v.Own {
			continue
		}
		d := editDistance(word, v.Name)
		prefix := strings.HasPrefix(v.Name, word)
		if prefix && !begins || prefix == begins && d < distance {
			best, begins, distance = v.Name, prefix, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that make b out of a (optimal string alignment), in bytes.
func editDistance(a, b string) int {
	before := make([]int, len(b)+1) // row i-2
	above := make([]int, len(b)+1)  // row i-1
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
