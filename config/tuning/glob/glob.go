// Package glob matches texts with patterns of shells, by regular expressions.
//
// It stands in for the module of that name, which has an engine of its own. The collector compares
// three patterns with it, where several configurations are merged.
package glob

import (
	"errors"
	"regexp"
	"strings"
)

// Glob is a pattern.
type Glob interface {
	Match(text string) bool
}

type expression struct{ *regexp.Regexp }

func (e expression) Match(text string) bool { return e.MatchString(text) }

// Compile returns a pattern, in which * and ? match no separator and ** matches all.
func Compile(pattern string, separators ...rune) (Glob, error) {
	text, err := translated(pattern, string(separators))
	if err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(`(?s)\A` + text + `\z`)
	return expression{compiled}, err
}

// MustCompile is Compile for patterns that are known to be right.
func MustCompile(pattern string, separators ...rune) Glob {
	made, err := Compile(pattern, separators...)
	if err != nil {
		panic(err)
	}
	return made
}

func translated(pattern, separators string) (string, error) {
	one := "."
	if separators != "" {
		one = "[^" + regexp.QuoteMeta(separators) + "]"
	}
	var made strings.Builder
	depth := 0
	for left := pattern; left != ""; {
		switch char := left[0]; {
		case strings.HasPrefix(left, "**"):
			made.WriteString(".*")
			left = left[1:]
		case char == '*':
			made.WriteString(one + "*")
		case char == '?':
			made.WriteString(one)
		case char == '[':
			class, after, closed := strings.Cut(left[1:], "]")
			if !closed || strings.Trim(class, "!") == "" {
				return "", errors.New("a character class has no end or is empty: " + pattern)
			}
			if strings.HasPrefix(class, "!") {
				class = "^" + class[1:]
			}
			made.WriteString("[" + class + "]")
			left = "]" + after
		case char == '{':
			made.WriteString("(?:")
			depth++
		case char == '}' && depth > 0:
			made.WriteByte(')')
			depth--
		case char == ',' && depth > 0:
			made.WriteByte('|')
		case char == '\\' && len(left) > 1:
			left = left[1:]
			made.WriteString(regexp.QuoteMeta(left[:1]))
		default:
			made.WriteString(regexp.QuoteMeta(left[:1]))
		}
		left = left[1:]
	}
	if depth > 0 {
		return "", errors.New("a list of patterns has no end: " + pattern)
	}
	return made.String(), nil
}
