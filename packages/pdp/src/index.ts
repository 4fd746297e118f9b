export { decided, undecided } from './decisions.js';
export { maxQuestionCharacters, wellFormedJson, type WrittenJson } from './json-document.js';
export { type PdpAnswer, PolicyDecisionPoint } from './policy-decision-point.js';
export { type PdpOptions, pdpOptionNames, readScopeVocabulary } from './options.js';
export { PdpUnavailableError } from './unavailable.js';
