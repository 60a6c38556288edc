// Where an attempt is on its way through the queue and undici.
//
// Plain numbers, because they are compared for every request. An attempt's phase only ever grows, save that one
// which ends before it was given to undici goes straight to its end.

export const PHASE_NEW = 0;
/** In the owner's queue. */
export const PHASE_WAITING = 1;
/** Given to undici, which may still be connecting. */
export const PHASE_HANDED = 2;
/** undici writes it or has written it. */
export const PHASE_STARTED = 3;
/** The final response's head has come. */
export const PHASE_ANSWERED = 4;
/** undici is through with it. */
export const PHASE_OVER = 5;
