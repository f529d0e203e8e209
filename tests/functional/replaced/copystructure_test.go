// Our copies against those of the module that ours stands in for.
package replaced

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	theirs "github.com/mitchellh/copystructure"

	ours "replaced/ours"
)

type value struct {
	Value    any
	Original string
}

const kinds = 20

// made gives any value at all, nested up to so deep.
func made(random *rand.Rand, depth int) any {
	if depth == 0 {
		return "leaf"
	}
	next := func() any { return made(random, depth-1) }
	switch random.IntN(kinds) {
	case 0, 1, 2, 3, 4:
		found := map[string]any{}
		for at := range random.IntN(4) {
			found[strconv.Itoa(at)] = next()
		}
		return found
	case 5, 6, 7:
		found := []any{}
		for range random.IntN(4) {
			found = append(found, next())
		}
		return found
	case 8:
		return map[any]any{1: next(), "two": []int{2}}
	case 9:
		return map[string]string{"a": "b"}
	case 10:
		return []map[string]any{{"a": next()}, nil}
	case 11:
		return &value{Value: next(), Original: "${env:A}"}
	case 12:
		return value{Value: next()}
	case 13:
		return [2]any{next(), 1.5}
	case 14:
		return map[string]any(nil)
	case 15:
		return []any(nil)
	case 16:
		return (*value)(nil)
	case 17:
		return nil
	case 18:
		return random.IntN(100)
	}
	return random.Uint32()%2 == 0
}

func TestTheSameResult(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		config, one := map[string]any{"a": made(random, 5), "b": made(random, 5)}, made(random, 4)
		all := []any{config, &config}
		if of := reflect.ValueOf(one); of.IsValid() && !(of.Kind() == reflect.Pointer && of.IsNil()) {
			all = append(all, one, &one) // at nil theirs panics, and nobody asks it for that
		}
		for _, given := range all {
			wanted, wantedError := theirs.Copy(given)
			got, gotError := ours.Copy(given)
			if wantedError != nil || gotError != nil || !reflect.DeepEqual(wanted, got) {
				t.Fatalf("of %#v\nours is %#v, %v\ntheirs %#v, %v", given, got, gotError, wanted, wantedError)
			}
		}
	}
}

func TestNothingIsShared(t *testing.T) {
	inner := map[string]any{"deep": []any{map[string]any{"a": 1}}, "at": &value{Value: []any{1}}}
	copied, _ := ours.Copy(&inner)
	got := *copied.(*map[string]any)
	got["deep"].([]any)[0].(map[string]any)["a"] = 2
	got["at"].(*value).Value.([]any)[0] = 2
	got["new"] = true
	wanted := map[string]any{"deep": []any{map[string]any{"a": 1}}, "at": &value{Value: []any{1}}}
	if !reflect.DeepEqual(inner, wanted) {
		t.Fatalf("the original is %#v now", inner)
	}
}
