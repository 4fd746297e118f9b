package countersign

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// An API asks for one second. The caller decides about a longer wait.
	longestRetry = 5
	// Longer than any refusal: more is not read ahead of the caller.
	maxShortRefusal = 4096
	// A store that several processes share asks for it until its clock skew is over.
	mostRestarts = 3
)

// anew is a request that is signed anew and sent again.
type anew struct {
	wait time.Duration
	// What to add to our clock for this API, if setsClock.
	ahead     time.Duration
	setsClock bool
}

// decide says whether a refused request is signed anew. Only two refusals ask for that, and neither ran the request: one
// after a restart, and a signature that is too old or from the future by the clock of the API.
func decide(status int, header http.Header, body []byte, to address, now time.Time, ahead time.Duration) (anew, bool) {
	if !isProblem(header.Get("Content-Type")) || len(body) > maxShortRefusal {
		return anew{}, false
	}
	problem, _ := parseObject(body)
	switch code := problem["code"]; {
	case status == http.StatusServiceUnavailable && code == "replay_unknown":
		seconds, ok := digits(header.Get("Retry-After"))
		return anew{wait: time.Duration(seconds) * time.Second}, ok && seconds <= longestRetry
	case status == http.StatusUnauthorized && (code == "signature_expired" || code == "signature_not_yet_valid"):
		date, err := http.ParseTime(header.Get("Date"))
		// On plain http anybody could set our clock.
		if err != nil || !to.isPrivate() {
			return anew{}, false
		}
		theirs := date.Sub(now)
		return anew{ahead: theirs, setsClock: true}, isCorrection(theirs, ahead)
	}
	return anew{}, false
}

// isCorrection reports whether a server may correct our clock so. Forwards, an answer gets signatures that count later.
func isCorrection(theirs, known time.Duration) bool {
	return (theirs-known).Abs() > clockSkew && theirs <= maxClockForward
}

func digits(text string) (int, bool) {
	if len(text) == 0 || len(text) > 9 {
		return 0, false
	}
	for at := range len(text) {
		if text[at] < '0' || text[at] > '9' {
			return 0, false
		}
	}
	number, err := strconv.Atoi(text)
	return number, err == nil
}

// attempts bounds how often one call is signed anew.
type attempts struct {
	restarts int
	// By which the clock of the API is ahead of ours, as far as this call knows.
	ahead       time.Duration
	isCorrected bool
}

// next says whether the request is signed anew, and after which wait. It reads the body of a short refusal only, and puts
// it back.
func (a *attempts) next(response *http.Response, to address, signer *Signer) (time.Duration, bool) {
	status, origin := response.StatusCode, to.origin()
	// Only a success proves the correction right, for later calls too.
	if a.isCorrected && status >= 200 && status < 300 {
		signer.offsets.learn(origin, a.ahead)
	}
	isShort := response.ContentLength >= 0 && response.ContentLength <= maxShortRefusal
	if status != http.StatusUnauthorized && status != http.StatusServiceUnavailable || !isShort || !isProblem(response.Header.Get("Content-Type")) {
		return 0, false
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxShortRefusal+1))
	response.Body = readBefore(body, response.Body)
	if err != nil {
		return 0, false
	}
	found, ok := decide(status, response.Header, body, to, signer.rules.clock(), a.ahead)
	if !ok {
		return 0, false
	}
	if found.setsClock {
		if a.isCorrected {
			return 0, false
		}
		a.ahead, a.isCorrected = found.ahead, true
		return 0, true
	}
	if a.restarts == mostRestarts {
		return 0, false
	}
	a.restarts++
	return found.wait << (a.restarts - 1), true
}

type readCloser struct {
	io.Reader
	io.Closer
}

// readBefore is a body of which a part was read already.
func readBefore(read []byte, rest io.ReadCloser) io.ReadCloser {
	return readCloser{io.MultiReader(bytes.NewReader(read), rest), rest}
}

// refuseRedirect closes the answer if it is a redirect: a signature is for one URL, and a token for one API.
func refuseRedirect(response *http.Response, origin string) error {
	switch response.StatusCode {
	case 301, 302, 303, 307, 308:
	default:
		return nil
	}
	location := response.Header.Get("Location")
	if location == "" {
		return nil
	}
	_ = response.Body.Close()
	return failed(CodeRedirectRefused, origin+" redirected the call to "+quote(location, quoteLimit)+". A signature is for one URL: call that one yourself.")
}
