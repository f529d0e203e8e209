// Package copystructure copies values as deep as they go.
//
// It stands in for the module of that name. The collector copies its whole
// configuration again and again while it starts, and that module looks at
// every value by reflection. A configuration is maps and slices of any: those
// are walked as what they are here, and only the rest by reflection.
package copystructure

import "reflect"

// Copy gives a value that shares no map, slice or pointer with the one given.
func Copy(value any) (any, error) {
	if of := reflect.ValueOf(value); of.Kind() == reflect.Pointer {
		return reflected(of).Interface(), nil
	}
	return copyOf(value), nil
}

// Must gives the value, or panics for the error.
func Must(value any, err error) any {
	if err != nil {
		panic(err)
	}
	return value
}

func copyOf(value any) any {
	switch of := value.(type) {
	case nil, bool, int, int64, uint64, float64, string:
		return of
	case map[string]any:
		if of == nil {
			return of
		}
		copied := make(map[string]any, len(of))
		for key, each := range of {
			copied[key] = copyOf(each)
		}
		return copied
	case []any:
		if of == nil {
			return of
		}
		copied := make([]any, len(of))
		for at, each := range of {
			copied[at] = copyOf(each)
		}
		return copied
	}
	of := reflect.ValueOf(value)
	if of.Kind() == reflect.Pointer && of.IsNil() {
		return nil // as that module has it
	}
	return reflected(of).Interface()
}

func reflected(of reflect.Value) reflect.Value {
	copied := reflect.New(of.Type()).Elem()
	copied.Set(of) // what cannot be looked into stays as it is
	switch of.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		if !of.IsNil() {
			copied.Set(referred(of))
		}
	case reflect.Array:
		for at := range of.Len() {
			copied.Index(at).Set(reflected(of.Index(at)))
		}
	case reflect.Struct:
		for at := range of.NumField() {
			if of.Type().Field(at).IsExported() {
				copied.Field(at).Set(reflected(of.Field(at)))
			}
		}
	}
	return copied
}

func referred(of reflect.Value) reflect.Value {
	switch of.Kind() {
	case reflect.Pointer:
		copied := reflect.New(of.Type().Elem())
		copied.Elem().Set(reflected(of.Elem()))
		return copied
	case reflect.Interface:
		if copied := copyOf(of.Elem().Interface()); copied != nil {
			return reflect.ValueOf(copied)
		}
		return reflect.Zero(of.Type())
	case reflect.Map:
		copied := reflect.MakeMapWithSize(of.Type(), of.Len())
		for each := of.MapRange(); each.Next(); {
			copied.SetMapIndex(reflected(each.Key()), reflected(each.Value()))
		}
		return copied
	}
	copied := reflect.MakeSlice(of.Type(), of.Len(), of.Len())
	for at := range of.Len() {
		copied.Index(at).Set(reflected(of.Index(at)))
	}
	return copied
}
