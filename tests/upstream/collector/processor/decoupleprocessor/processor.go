package decoupleprocessor

import (
	"context"
	"errors"
	"time"

	"github.com/open-telemetry/opentelemetry-lambda/collector/lambdalifecycle"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

// Lambda kills an environment two seconds after asking it to shut down, and
// the rest of the collector needs some of that time too.
const drainTimeout = time.Second

var errStopped = errors.New("the decouple processor has stopped")

// queue is what the processors of all signals share: a first-in-first-out
// queue of deliveries, and one goroutine which makes them.
type queue struct {
	logger  *zap.Logger
	jobs    chan func()
	started bool
	stop    chan struct{} // closed once nothing more is delivered
}

func newQueue(set processor.Settings, cfg component.Config) *queue {
	return &queue{
		logger: set.Logger,
		jobs:   make(chan func(), cfg.(*Config).MaxQueueSize),
		stop:   make(chan struct{}),
	}
}

func (q *queue) Start(context.Context, component.Host) error {
	q.started = true
	go q.run()
	if notifier := lambdalifecycle.GetNotifier(); notifier != nil {
		notifier.AddListener(q)
	}
	return nil
}

// Shutdown is called after everything upstream has stopped sending.
func (q *queue) Shutdown(ctx context.Context) error {
	if !q.started {
		return nil
	}
	err := q.drain(ctx)
	close(q.stop)
	return err
}

func (q *queue) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

func (q *queue) run() {
	for {
		select {
		case job := <-q.jobs:
			job()
		case <-q.stop:
			return
		}
	}
}

// deliver queues one delivery; it waits only while the queue is full.
func (q *queue) deliver(ctx context.Context, send func(context.Context) error) error {
	// The sender's context ends when the sender has its answer, which is
	// before the delivery; its values (client metadata) must outlive it.
	detached := context.WithoutCancel(ctx)
	return q.add(ctx, func() {
		if err := send(detached); err != nil {
			q.logger.Error("could not pass data on", zap.Error(err))
		}
	})
}

func (q *queue) add(ctx context.Context, job func()) error {
	select {
	case q.jobs <- job:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stop:
		return errStopped
	}
}

// drain waits until everything queued before it was delivered: as jobs are
// done in order, that is when a job added now gets its turn.
func (q *queue) drain(ctx context.Context) error {
	reached := make(chan struct{})
	if err := q.add(ctx, func() { close(reached) }); err != nil {
		return err
	}
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stop:
		return errStopped
	}
}

func (q *queue) FunctionInvoked()     {}
func (q *queue) FunctionFinished()    { q.drainInTime() }
func (q *queue) EnvironmentShutdown() { q.drainInTime() }

func (q *queue) drainInTime() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := q.drain(ctx); err != nil && !errors.Is(err, errStopped) {
		q.logger.Warn("data is still queued", zap.Error(err))
	}
}

type tracesProcessor struct {
	*queue
	next consumer.Traces
}

func (p *tracesProcessor) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	return p.deliver(ctx, func(ctx context.Context) error { return p.next.ConsumeTraces(ctx, td) })
}

type metricsProcessor struct {
	*queue
	next consumer.Metrics
}

func (p *metricsProcessor) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	return p.deliver(ctx, func(ctx context.Context) error { return p.next.ConsumeMetrics(ctx, md) })
}

type logsProcessor struct {
	*queue
	next consumer.Logs
}

func (p *logsProcessor) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	return p.deliver(ctx, func(ctx context.Context) error { return p.next.ConsumeLogs(ctx, ld) })
}
