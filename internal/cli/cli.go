// Package cli holds the row types (Verb, Option, Call) and what is made from
// the rows: parsing, help, introspection.
package cli
