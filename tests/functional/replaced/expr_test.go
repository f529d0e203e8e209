// Our expressions are used as those that they stand in for, and are refused.
package replaced

import (
	"strings"
	"testing"

	theirs "github.com/expr-lang/expr"

	ours "replaced/ours"
)

func TestAnExpressionIsRefusedWithTheTuningsName(t *testing.T) {
	expression := `MetricName == "calls" && HasLabel("team")`
	if _, err := theirs.Compile(expression); err != nil {
		t.Fatal(err)
	}
	program, err := ours.Compile(expression)
	if program != nil || err == nil || !strings.Contains(err.Error(), "no-metric-expressions") {
		t.Error(program, err)
	}
}
