// Package httpsnoop wraps an http.ResponseWriter, so that a middleware sees what a handler writes.
//
// It stands in for the module of that name, which has a type for each combination of the optional
// methods of a ResponseWriter: hundreds of types, a tenth of a collector's binary. This one has
// three: for the writers of HTTP/1, of HTTP/2, and others. All further optional methods are reached
// as net/http itself does it, by http.ResponseController, which calls Unwrap.
package httpsnoop

import "net/http"

// The methods that a hook gets and returns.
type (
	HeaderFunc      func() http.Header
	WriteHeaderFunc func(code int)
	WriteFunc       func(b []byte) (int, error)
	FlushFunc       func()
)

// Hooks are called once by Wrap, each with a method of the writer; the method that a hook returns is
// called instead.
type Hooks struct {
	Header      func(HeaderFunc) HeaderFunc
	WriteHeader func(WriteHeaderFunc) WriteHeaderFunc
	Write       func(WriteFunc) WriteFunc
	Flush       func(FlushFunc) FlushFunc
}

// Unwrapper is implemented by writers that wrap another.
type Unwrapper interface {
	Unwrap() http.ResponseWriter
}

// Unwrap returns the innermost writer.
func Unwrap(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, wraps := w.(Unwrapper)
		if !wraps {
			return w
		}
		w = outer.Unwrap()
	}
}

// Wrap returns a writer whose methods are those that the hooks return.
func Wrap(w http.ResponseWriter, hooks Hooks) http.ResponseWriter {
	made := plain{
		w:           w,
		header:      hooked(hooks.Header, w.Header),
		writeHeader: hooked(hooks.WriteHeader, w.WriteHeader),
		write:       hooked(hooks.Write, w.Write),
	}
	inner, flushes := w.(http.Flusher)
	if !flushes {
		return made
	}
	flusher := flushing{plain: made, flush: hooked(hooks.Flush, inner.Flush)}
	if hijacker, hijacks := w.(http.Hijacker); hijacks {
		return hijacking{flushing: flusher, Hijacker: hijacker}
	}
	return flusher
}

func hooked[F any](hook func(F) F, method F) F {
	if hook == nil {
		return method
	}
	return hook(method)
}

type plain struct {
	w           http.ResponseWriter
	header      HeaderFunc
	writeHeader WriteHeaderFunc
	write       WriteFunc
}

func (p plain) Unwrap() http.ResponseWriter       { return p.w }
func (p plain) Header() http.Header               { return p.header() }
func (p plain) WriteHeader(code int)              { p.writeHeader(code) }
func (p plain) Write(content []byte) (int, error) { return p.write(content) }

// A flushing writer is HTTP/2's.
type flushing struct {
	plain
	flush FlushFunc
}

func (f flushing) Flush() { f.flush() }

// A hijacking writer is HTTP/1's.
type hijacking struct {
	flushing
	http.Hijacker
}
