package countersign

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Config has the options of an [Agent].
type Config struct {
	// ID is the id under which APIs know the agent.
	ID string
	// Key signs for it.
	Key *Key
	// Origins are the APIs, like "https://api.acme.dev". Nothing is signed for any other.
	Origins []string
	// Authority is the name of the authority that gives it tokens. Optional.
	Authority string
	// Lifetime is the time until a signature expires, up to 5 minutes. Default: 1 minute.
	Lifetime time.Duration
	// Cover has further header fields to cover when present, in lower case.
	Cover []string
	// MaxBodyBytes limits a body: it is held in memory, since its digest is sent before it. Default: 16 MiB.
	MaxBodyBytes int64
	// Clock gives the time. Default: [time.Now].
	Clock func() time.Time
	// AuthorityTransport calls the authority, if its certificate is of a private CA.
	AuthorityTransport http.RoundTripper
	// DangerouslyAllowHTTP sends credentials over plain http to other hosts than loopback.
	DangerouslyAllowHTTP bool
}

// Agent is an agent with an identity of its own. It signs for itself; its methods make a [Signer] that acts for others.
type Agent struct {
	*Signer
	authority *authority
}

// Signer can sign and hand on: an agent for itself, with a token, or with what another agent handed on.
// It is safe for concurrent use.
type Signer struct {
	rules   *rules
	hold    hold
	offsets *clockOffsets
}

// New creates an agent. The error has the code [CodeConfigInvalid].
func New(config Config) (*Agent, error) {
	if !isIdentifier(config.ID) {
		return nil, badConfig("ID must be 1 to 256 visible characters in NFC.")
	}
	if config.Key == nil || len(config.Key.public) == 0 {
		return nil, badConfig("Key must come from GenerateKey, ParseKey or a function named NewKey….")
	}
	if config.Lifetime == 0 {
		config.Lifetime = defaultMaxAge
	}
	if config.Lifetime < time.Second || config.Lifetime > maxLifetime || config.Lifetime%time.Second != 0 {
		return nil, badConfig("Lifetime must be whole seconds, from 1 to 300.")
	}
	for _, name := range config.Cover {
		if !coverNameForm.MatchString(name) {
			return nil, badConfig("Cover must have names of header fields in lower case.")
		}
	}
	if config.MaxBodyBytes < 0 {
		return nil, badConfig("MaxBodyBytes must not be negative.")
	}
	if config.MaxBodyBytes == 0 {
		config.MaxBodyBytes = defaultMaxBodyBytes
	}
	if config.Clock == nil {
		config.Clock = time.Now
	}
	origins, err := readOrigins(config.Origins)
	if err != nil {
		return nil, err
	}
	made := &rules{
		agentID: config.ID, key: config.Key, origins: origins, lifetime: config.Lifetime,
		cover: append([]string{}, config.Cover...), maxBodyBytes: config.MaxBodyBytes, clock: config.Clock,
		dangerouslyAllowHTTP: config.DangerouslyAllowHTTP,
	}
	agent := &Agent{Signer: &Signer{made, fixed{}, &clockOffsets{ahead: map[string]time.Duration{}}}}
	if config.Authority != "" {
		if agent.authority, err = newAuthority(config.Authority, made, config.AuthorityTransport); err != nil {
			return nil, err
		}
	}
	return agent, nil
}

func readOrigins(origins []string) (map[string]bool, error) {
	if len(origins) == 0 {
		return nil, badConfig("Origins must name the APIs, like \"https://api.acme.dev\".")
	}
	read := map[string]bool{}
	for _, origin := range origins {
		address, err := readURL(origin)
		if err != nil {
			return nil, badConfig("Origins: " + quote(origin, quoteLimit) + " is no http(s) URL.")
		}
		if address.target() != "/" {
			return nil, badConfig("Origins: " + quote(origin, quoteLimit) + " has a path. Write scheme and host only.")
		}
		read[address.origin()] = true
	}
	return read, nil
}

// ID is the id under which APIs know the agent.
func (s *Signer) ID() string { return s.rules.agentID }

// KeyID is the thumbprint of the key of the agent.
func (s *Signer) KeyID() string { return s.rules.key.Thumbprint() }

// WithToken gives the same agent with an access token, which is added to each request and covered.
func (a *Agent) WithToken(token string) (*Signer, error) {
	if !isToken(token) {
		return nil, badConfig("This is not an access token (RFC 6750 allows letters, digits and -._~+/ only).")
	}
	return a.acting(fixed{credentials{token: token}}), nil
}

// Accept gives the same agent with what another agent handed on to it. The error has the code [CodeBundleInvalid] if the
// bundle is not for this agent and key, malformed, or expired.
func (a *Agent) Accept(bundle Bundle) (*Signer, error) {
	held, err := openBundle(bundle, a.rules)
	if err != nil {
		return nil, err
	}
	return a.acting(fixed{held}), nil
}

// WithApproval gives the same with an approval, for the one request that people approved: the same target, body and user.
func (s *Signer) WithApproval(approval string) (*Signer, error) {
	if !isCompactJWS(approval) {
		return nil, badConfig("This is not an approval: it is no JWT.")
	}
	return s.acting(approved{s.hold, approval}), nil
}

func (s *Signer) acting(hold hold) *Signer { return &Signer{s.rules, hold, s.offsets} }

// Format shows the id, with every verb: a signer holds credentials.
func (s Signer) Format(state fmt.State, _ rune) {
	if s.rules == nil {
		_, _ = io.WriteString(state, "Signer()")
		return
	}
	fmt.Fprintf(state, "Signer(%s)", s.rules.agentID)
}

// Format shows the id, with every verb.
func (a Agent) Format(state fmt.State, verb rune) {
	if a.Signer == nil {
		_, _ = io.WriteString(state, "Agent()")
		return
	}
	a.Signer.Format(state, verb)
}

// clockOffsets are by how much the clock of each API is ahead of ours.
type clockOffsets struct {
	mutex sync.Mutex
	ahead map[string]time.Duration
}

func (c *clockOffsets) of(origin string) time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.ahead[origin]
}

func (c *clockOffsets) learn(origin string, ahead time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.ahead[origin] = ahead
}

func badConfig(message string) error { return failed(CodeConfigInvalid, message) }
