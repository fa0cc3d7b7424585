// Package unit knows what a unit is: names, the syntax of unit files, the
// names of drop-ins, and specifiers. It turns bytes into values; it touches no
// disk and prints nothing. systemd.unit(5), systemd.syntax(7).
package unit
