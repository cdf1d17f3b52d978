/** How the router of an app reads the paths that it serves. */
export interface RouterTraits {
  /** `/Admin` is `/admin`. */
  readonly ignoreCase?: boolean;
  /** `/admin/` is `/admin`. */
  readonly ignoreTrailingSlash?: boolean;
  /** `//admin` is `/admin`. */
  readonly mergeSlashes?: boolean;
  /** `/admin;a=b` is `/admin`. */
  readonly semicolons?: boolean;
}

/**
 * Binds policies to the routes of an app: decides which paths are one and the same to its router. Where a match denies, a policy is
 * compared with all of them, so that no spelling passes by a rule that names another.
 */
export class PathBinding {
  private readonly traits: RouterTraits;

  constructor(traits: RouterTraits) {
    this.traits = traits;
  }

  /** The plainest path that the router takes for this one, case aside: semicolons cut, slashes merged, none at the end. */
  read(path: string): string {
    const isCut = this.traits.semicolons === true && path.includes(';');
    return this.uncut(isCut ? path.slice(0, path.indexOf(';')) : path);
  }

  private uncut(path: string): string {
    const { mergeSlashes = false } = this.traits;
    let read = path;
    if (mergeSlashes && read.includes('//')) read = read.replace(/\/{2,}/g, '/');
    return this.withoutTrailingSlash(read);
  }

  /** One text for all paths that may reach the same route; escapes are decoded, as routers do. */
  fold(path: string): string {
    return this.caseFolded(decode(this.read(path), decodeURI));
  }

  /** {@link fold} for the fixed part of a pattern, where a slash at the end is part of the meaning. */
  foldPart(text: string): string {
    return this.caseFolded(decode(text, decodeURI));
  }

  /** {@link fold} with reserved characters decoded as well, as routers do in parameters: `/users/:mail` of `a%40b` is `a@b`. */
  foldParameters(path: string): string {
    return this.caseFolded(decode(this.read(path), decodeURIComponent));
  }

  /**
   * {@link foldParameters} for a pattern of a whole path. A semicolon in a parameter is one that came as `%3b`, which ends no path: so it
   * is one that the pattern means.
   */
  foldParametersPattern(text: string): string {
    return this.caseFolded(decode(this.uncut(text), decodeURIComponent));
  }

  /** {@link foldParameters} for the fixed part of a pattern. */
  foldParametersPart(text: string): string {
    return this.caseFolded(decode(text, decodeURIComponent));
  }

  /**
   * The texts that patterns are compared with: the path as routes are found by it and as parameters are read from it, both with a slash
   * at the end as well where the router does not mind.
   */
  readings(path: string): readonly string[] {
    const folded = this.fold(path);
    const texts = path.includes('%') ? [...new Set([folded, this.foldParameters(path)])] : [folded];
    return this.traits.ignoreTrailingSlash === true ? texts.flatMap((text) => [text, `${text}/`]) : texts;
  }

  get ignoresCase(): boolean {
    return this.traits.ignoreCase === true;
  }

  private caseFolded(text: string): string {
    return this.traits.ignoreCase === true ? text.toLowerCase() : text;
  }

  private withoutTrailingSlash(path: string): string {
    if (this.traits.ignoreTrailingSlash !== true) return path;
    let end = path.length;
    while (end > 1 && path.charCodeAt(end - 1) === 47) end--;
    return path.slice(0, end);
  }
}

/** By `decodeText`; where that cannot be decoded, by each escape of ASCII, and what is no escape stays as it is. */
function decode(path: string, decodeText: (text: string) => string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeText(path);
  } catch {
    return path.replace(/%[0-9a-f]{2}/gi, (triplet) => {
      const code = Number.parseInt(triplet.slice(1), 16);
      return code < 0x80 ? decodeText(triplet) : triplet;
    });
  }
}
