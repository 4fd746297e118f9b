export { type AuthzenOptions, authzen } from './authzen.js';
