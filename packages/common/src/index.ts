// errors
export { CodedError } from './errors/coded-error.js';
export { ConfigError } from './errors/config-error.js';
export { codeOf, errorMessage, isA, kindOf, messageOf, reasonOf } from './errors/error-message.js';
export { FailureThrottle } from './errors/failure-throttle.js';
export { type Counted, FailureThrottles } from './errors/failure-throttles.js';
export { withoutPrivateKeys } from './errors/without-private-keys.js';
// options
export { readListener, warn } from './options/listener.js';
export { readOnTrouble } from './options/on-trouble.js';
export { checkOptionNames } from './options/option-names.js';
export { flagOption, functionOption, integerOption, numberOption, oneOfOption } from './options/option-values.js';
export { readClock } from './options/read-clock.js';
// json
export { boundRecorded, isRecordedAs, missingMark } from './json/bound-recorded.js';
export { brokenLine } from './json/broken-line.js';
export { boundJson, boundString, escapeOf, escapeUnprintable, quoteForLog } from './json/escape.js';
export { isJsonObject, type JsonObject, member } from '@countersign/delegation';
export { ambiguityOfJson, itemsForMember, type JsonAmbiguity } from './json/json-ambiguity.js';
export { failed, type FailedReading, type Reading } from './json/reading.js';
export { parseStrictJson } from './json/strict-json.js';
// files
export { type FileSet, readFileSet } from './files/file-set.js';
export { type LiveFileOptions, openLiveFile, readFollowing } from './files/live-file.js';
export { LiveFiles, type ReloadResult } from './files/live-files.js';
export { fileBehind, listFolder } from './files/regular-file.js';
// time
export { aborted } from './time/aborted.js';
export { answerInTime, LateAnswer } from './time/answer-in-time.js';
export { andThen, answerOr, type Awaitable, awaitable, isPromise } from './time/awaitable.js';
export { bothSettled } from './time/both-settled.js';
export { closePart, closeParts, holdParts, isClosed, madeOf, type Part } from './time/close-parts.js';
export { containRejection, containRejections } from './time/contain-rejection.js';
export { fewOfEach, type Waiter } from './time/few-of-each.js';
export { mapConcurrent } from './time/map-concurrent.js';
export { oneAtATime } from './time/one-at-a-time.js';
export { withTimeout } from './time/with-timeout.js';
export { eachInTurn, type Turns, yieldEvery } from './time/yield-every.js';
// net
export { answerHasBegun, answerHasEnded, showSign } from './net/answer-has-begun.js';
export { dropFurther } from './net/dropped-answer.js';
export { HeldAnswer } from './net/held-answer.js';
export { Attempts, elapsedSince } from './net/attempts.js';
export { hasDotSegment } from './net/dot-segment.js';
export { isLoopback } from './net/loopback.js';
export { type OwnBytes, readBounded, readRequest } from './net/read-bounded.js';
export { crossesInClear, type PlainHttp, secureUrl } from './net/secure-url.js';
// wire
export {
  clientClock,
  bodyFields,
  credentialFields,
  discoveryPath,
  guardDefaults,
  guardMaxima,
  mcpFields,
  mcpParameterPrefix,
  methodOverrideFields,
  profileTag,
  refusalPages,
  requiredParameters,
  targetComponents,
  testKeyId,
  wireBounds,
} from './wire/wire.js';
// values
export { deepFreeze } from './values/deep-freeze.js';
export { defined } from './values/defined.js';
export { bytesHeld, LruCache, maxBytesRemembered } from './values/lru-cache.js';
export { Stamp } from './values/stamp.js';
