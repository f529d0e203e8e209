// Package lambdalifecycle lets components follow the life of the Lambda
// environment without knowing anything of the Extensions API.
package lambdalifecycle

import "sync"

// Listener is told of each stage of the environment's life. The environment
// waits for every call to return, so calls must be bounded in time.
type Listener interface {
	FunctionInvoked()
	FunctionFinished()
	EnvironmentShutdown()
}

// Notifier is where listeners register.
type Notifier interface {
	AddListener(Listener)
}

var (
	mu       sync.RWMutex
	notifier Notifier
)

// SetNotifier makes n the notifier of this process. It must be set before the
// collector starts its components.
func SetNotifier(n Notifier) {
	mu.Lock()
	defer mu.Unlock()
	notifier = n
}

// GetNotifier returns the notifier, or nil outside Lambda.
func GetNotifier() Notifier {
	mu.RLock()
	defer mu.RUnlock()
	return notifier
}

// Listeners is a Notifier, and itself a Listener which passes each call on to
// all those registered, in turn.
type Listeners struct {
	mu  sync.Mutex
	all []Listener
}

var (
	_ Notifier = (*Listeners)(nil)
	_ Listener = (*Listeners)(nil)
)

func (l *Listeners) AddListener(listener Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, listener)
}

func (l *Listeners) FunctionInvoked()     { l.each(Listener.FunctionInvoked) }
func (l *Listeners) FunctionFinished()    { l.each(Listener.FunctionFinished) }
func (l *Listeners) EnvironmentShutdown() { l.each(Listener.EnvironmentShutdown) }

func (l *Listeners) each(call func(Listener)) {
	// The lock isn't held during the calls, so that they may add listeners.
	l.mu.Lock()
	all := append([]Listener(nil), l.all...)
	l.mu.Unlock()
	for _, listener := range all {
		call(listener)
	}
}
