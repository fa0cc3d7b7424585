// Package term is what people see: log lines, tables, colours, JSON, pager.
package term
