// Package countersign lets an agent call APIs that Countersign guards: signed, and for the user or agent it works for.
//
// An agent has an Ed25519 key of its own and signs every request (RFC 9421), so that an API knows which agent calls, on
// whose behalf, and through which hops. [New] makes an [Agent], and [Signer.Client] an [net/http.Client] that signs.
//
// Nothing is signed or sent to another origin than those of [Config], over plain http to another host than loopback, or
// along a redirect. Keys and tokens never print. What is refused on the side of the agent is an [*Error]; what an API
// refuses is a [*Refusal], by [CheckResponse].
package countersign
