// errors
export { ConfigError } from './errors/config-error.js';
export { codeOf, errorMessage, kindOf, messageOf, reasonOf } from './errors/error-message.js';
export { FailureThrottle } from './errors/failure-throttle.js';
export { type Counted, FailureThrottles } from './errors/failure-throttles.js';
// options
export { integerOption } from './options/integer-option.js';
export { readListener, warn } from './options/listener.js';
export { readOnTrouble } from './options/on-trouble.js';
export { checkOptionNames } from './options/option-names.js';
export { readClock } from './options/read-clock.js';
// json
export { brokenLine } from './json/broken-line.js';
export { boundJson, boundString, escapeUnprintable } from './json/escape.js';
export { isJsonObject, type JsonObject, member, parseStrictJson, type Reading } from './json/strict-json.js';
// files
export { type FileSet, readFileSet } from './files/file-set.js';
export { type LiveFileOptions, openLiveFile, readFollowing } from './files/live-file.js';
export { LiveFiles, type ReloadResult } from './files/live-files.js';
export { listFolder } from './files/regular-file.js';
// time
export { answerInTime } from './time/answer-in-time.js';
export { closeParts } from './time/close-parts.js';
export { mapConcurrent } from './time/map-concurrent.js';
export { withTimeout } from './time/with-timeout.js';
export { yieldEvery } from './time/yield-every.js';
// net
export { isLoopback } from './net/loopback.js';
// values
export { deepFreeze } from './values/deep-freeze.js';
export { LruCache } from './values/lru-cache.js';
