// Our globs against those that they stand in for.
package replaced

import (
	"testing"

	theirs "github.com/gobwas/glob"

	ours "replaced/ours"
)

var patterns = []string{
	"service::extensions", "service::**::receivers", "service::**::exporters",
	"*", "**", "?", "a*c", "a**c", "a?c", "[a-c]x", "[!a-c]x", "{ab,cd*}e", "{a,b}{c,d}",
	`a\*c`, `\?`, "a.c", "ü*", "(a|b)+", "a,b", "^a$",
}

var texts = []string{
	"", "a", "ac", "abc", "a.c", "axxc", "a/c", "a/b/c", "bx", "dx", "!x", "abe", "cdxe", "cd/e", "bd",
	"a*c", "?", "ü", "üa", "a\nc", "(a|b)+", "a,b", "^a$", "service::extensions", "service::receivers",
	"service::pipelines::traces::receivers", "service::pipelines::traces/b::exporters", "service::::receivers",
}

// They match these although a part of the text would have to count twice, or is missing.
var wrongMatches = map[[2]string]bool{
	{"service::**::receivers", "service::receivers"}: true,
	{"?", ""}: true,
}

func TestTheSameMatches(t *testing.T) {
	for _, separators := range [][]rune{nil, {'/'}, {':', '.'}} {
		for _, pattern := range patterns {
			their, our := theirs.MustCompile(pattern, separators...), ours.MustCompile(pattern, separators...)
			for _, text := range texts {
				wanted := their.Match(text) && !wrongMatches[[2]string{pattern, text}]
				if our.Match(text) != wanted {
					t.Errorf("%q, %q, separators %q: wanted %t", pattern, text, string(separators), wanted)
				}
			}
		}
	}
}

func TestWhatIsNoPatternIsAnErrorForBoth(t *testing.T) {
	for _, pattern := range []string{"[a", "[]"} {
		_, wanted := theirs.Compile(pattern)
		_, got := ours.Compile(pattern)
		if got == nil || wanted == nil {
			t.Errorf("%q: ours %v, theirs %v", pattern, got, wanted)
		}
	}
}
