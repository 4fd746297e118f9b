package countersign

import (
	"context"
	"sync"
	"time"
)

const (
	// A token is not used in its last seconds: it must still count when the API reads it.
	tokenMargin = 5 * time.Second
	// After a failure the old token is used at least so long, before the authority is asked again.
	renewalPause = 5 * time.Second
)

// hold is with what a signer acts at the moment. It may ask the authority.
type hold interface {
	current(ctx context.Context) (credentials, error)
}

// fixed are credentials that do not change.
type fixed struct{ credentials credentials }

func (f fixed) current(context.Context) (credentials, error) { return f.credentials, nil }

// approved is what a signer acts with, and an approval for its next request.
type approved struct {
	hold     hold
	approval string
}

func (a approved) current(ctx context.Context) (credentials, error) {
	held, err := a.hold.current(ctx)
	held.approval = a.approval
	return held, err
}

// issuedToken is a token, and until when it is used, by our clock.
type issuedToken struct {
	token   string
	expires time.Time
}

// heldToken is a token that is got when it is first needed, and again before it expires, by one goroutine at a time.
type heldToken struct {
	get   func(ctx context.Context) (issuedToken, error)
	clock func() time.Time
	// Whoever has sent into it asks the authority.
	turn chan struct{}

	mutex   sync.Mutex
	issued  issuedToken
	renewAt time.Time
}

func newHeldToken(get func(ctx context.Context) (issuedToken, error), clock func() time.Time) *heldToken {
	return &heldToken{get: get, clock: clock, turn: make(chan struct{}, 1)}
}

func (h *heldToken) current(ctx context.Context) (credentials, error) {
	token, isOver, isDue := h.read()
	if !isDue {
		return credentials{token: token}, nil
	}
	if isOver {
		select {
		case h.turn <- struct{}{}:
		case <-ctx.Done():
			return credentials{}, ctx.Err()
		}
	} else {
		select {
		case h.turn <- struct{}{}:
		default:
			// Another goroutine renews it, and it still counts.
			return credentials{token: token}, nil
		}
	}
	defer func() { <-h.turn }()
	// Another goroutine may have been first.
	if token, isOver, isDue = h.read(); !isDue {
		return credentials{token: token}, nil
	}
	asked := h.clock()
	issued, err := h.get(ctx)
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if err == nil {
		// After three quarters of its life it is replaced.
		h.issued, h.renewAt = issued, asked.Add(issued.expires.Sub(asked)/4*3)
	} else if isOver {
		return credentials{}, err
	} else {
		// The old token still counts. What is wrong is said once it does not.
		h.renewAt = h.clock().Add(renewalPause)
	}
	return credentials{token: h.issued.token}, nil
}

func (h *heldToken) read() (token string, isOver, isDue bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	now := h.clock()
	isOver = !now.Before(h.issued.expires)
	return h.issued.token, isOver, isOver || !now.Before(h.renewAt)
}
