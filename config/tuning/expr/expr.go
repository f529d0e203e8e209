// Package expr refuses expressions.
//
// It stands in for the module of that name, which compiles expressions in a language of its own. The
// filter and attributes processors bring it for `match_type: expr` of metrics. It calls methods by
// names that are known only at run time, so Go's linker keeps every method of every type.
package expr

import (
	"errors"

	"github.com/expr-lang/expr/vm"
)

// Compile returns an error, which the collector ends with when it starts.
func Compile(string) (*vm.Program, error) {
	return nil, errors.New("match_type expr is not in this layer (tuning no-metric-expressions): use regexp, strict or OTTL conditions")
}
