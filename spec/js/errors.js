// Refusals (section 1): three kinds, each naming the requirement that the file breaks.

/** Why a file is refused. Whatever bytes a decoder is given, it throws nothing else. */
export class CaufError extends Error {
  /**
   * @param {number} requirement number of the requirement, 119 for [CAUF-0119]
   * @param {string} what what is wrong, in words
   */
  constructor(requirement, what) {
    super(`${what} [CAUF-${String(requirement).padStart(4, "0")}]`);
    this.name = new.target.name;
    this.requirement = requirement;
  }
}

/** A checksum differs, the file is cut, or bytes follow its end. */
export class DamagedError extends CaufError {}

/** Any other violation of the text. */
export class MalformedError extends CaufError {}

/** Valid as far as one can tell, but this decoder lacks a number, a version, a profile or the means. */
export class UnsupportedError extends CaufError {}

/** @param {number} requirement @param {string} what */
export const damaged = (requirement, what) => new DamagedError(requirement, what);

/** @param {number} requirement @param {string} what */
export const malformed = (requirement, what) => new MalformedError(requirement, what);

/** @param {number} requirement @param {string} what */
export const unsupported = (requirement, what) => new UnsupportedError(requirement, what);

/** A number that the text does not assign [CAUF-0006]. @param {string} what @param {unknown} number */
export const unknown = (what, number) => new UnsupportedError(6, `unknown ${what} ${number}`);
