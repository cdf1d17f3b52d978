import { type CompressorConfig, type ContentCoding, createCompressor, type FilterFactory } from '@ripstop/core';
import {
  Brotli,
  Compressor,
  type Compressor_CommonDirectionConfig,
  CompressorPerRoute,
  Gzip,
  type RuntimeFeatureFlag,
  typeName,
  typeUrlOf,
  Zstd,
} from '@ripstop/xds-api';
import { rawFields } from '../raw-fields.ts';
import { unwrapTypedConfig } from '../typed-config.ts';

/** What a route changes. */
interface Override {
  readonly disabled: boolean;
  readonly removeAcceptEncoding: boolean | undefined;
}

type Config = CompressorConfig | Override;

export const compressor: FilterFactory<Config> = {
  typeUrl: typeUrlOf(Compressor.$type),
  overrideTypeUrl: typeUrlOf(CompressorPerRoute.$type),
  directions: ['inbound', 'outbound'],
  decode: decodeCompressor,
  decodeOverride: (body) => {
    const { override } = CompressorPerRoute.decode(body);
    if (override?.$case === 'disabled') return { disabled: true, removeAcceptEncoding: undefined };
    if (override === undefined) throw new Error('compressor per route: neither disabled nor overrides');
    return { disabled: false, removeAcceptEncoding: override.value.responseDirectionConfig?.removeAcceptEncodingHeader };
  },
  create: (config, override) => {
    const base = config as CompressorConfig;
    if (override === undefined) return createCompressor(base);
    const { disabled, removeAcceptEncoding = base.removeAcceptEncoding } = override as Override;
    // What a route overrides is on there, whatever the filter's own configuration says.
    return disabled ? undefined : createCompressor({ ...base, enabled: true, removeAcceptEncoding });
  },
};

/** Envoy's own list, where none is configured. */
const CONTENT_TYPES = [
  'application/javascript',
  'application/json',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/css',
  'text/html',
  'text/plain',
  'text/xml',
];
const MINIMUM_BYTES = 30;

function decodeCompressor(body: Uint8Array): CompressorConfig {
  const message = Compressor.decode(body);
  const { responseDirectionConfig: response, requestDirectionConfig: request } = message;
  if (isEnabled(request?.commonConfig?.enabled, false)) throw new Error('compressor: request_direction_config is not supported');
  const common: Partial<Compressor_CommonDirectionConfig> = response?.commonConfig ?? {};
  // The fields outside are those of older configurations.
  const types = response === undefined ? message.contentType : (common.contentType ?? []);
  const flag = response === undefined ? message.runtimeEnabled : common.enabled;
  return {
    coding: codingOf(message),
    enabled: isEnabled(flag, true),
    minimumBytes: (response === undefined ? message.contentLength : common.minContentLength) ?? MINIMUM_BYTES,
    contentTypes: new Set((types.length > 0 ? types : CONTENT_TYPES).map((type) => type.toLowerCase())),
    disableOnEtag: response?.disableOnEtagHeader ?? message.disableOnEtagHeader,
    removeAcceptEncoding: response?.removeAcceptEncodingHeader ?? message.removeAcceptEncodingHeader,
    uncompressibleStatus: new Set(uncompressible(body)),
    chooseFirst: message.chooseFirst,
  };
}

function isEnabled(flag: RuntimeFeatureFlag | undefined, otherwise: boolean): boolean {
  return flag === undefined ? otherwise : (flag.defaultValue ?? otherwise);
}

const RESPONSE_DIRECTION = 8;
/** Younger than the message that we generate: packed numbers. */
const UNCOMPRESSIBLE_CODES = 4;

function uncompressible(body: Uint8Array): number[] {
  const directions = rawFields(body).filter(({ number }) => number === RESPONSE_DIRECTION);
  return directions
    .flatMap(({ bytes }) => rawFields(bytes!))
    .filter(({ number }) => number === UNCOMPRESSIBLE_CODES)
    .flatMap(({ bytes, value }) => (bytes === undefined ? [value] : varints(bytes)));
}

function varints(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let factor = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor;
    factor *= 0x80;
    if (byte >= 0x80) continue;
    values.push(value);
    value = 0;
    factor = 1;
  }
  return values;
}

function codingOf({ compressorLibrary }: Compressor): ContentCoding {
  const any = compressorLibrary?.typedConfig;
  if (any === undefined) throw new Error('compressor: compressor_library is missing');
  const { typeUrl, body } = unwrapTypedConfig(any);
  switch (typeName(typeUrl)) {
    case Gzip.$type: {
      const { compressionLevel, windowBits = 12, memoryLevel = 5, compressionStrategy } = Gzip.decode(body);
      // 0 is zlib's own default.
      return {
        name: 'gzip',
        level: compressionLevel === 0 ? -1 : compressionLevel,
        windowBits,
        memoryLevel,
        strategy: compressionStrategy,
      };
    }
    case Brotli.$type: {
      const { quality = 3, windowBits = 18, encoderMode } = Brotli.decode(body);
      return { name: 'br', quality, windowBits, mode: Math.max(0, encoderMode - 1) };
    }
    case Zstd.$type: {
      const { compressionLevel = 3, enableChecksum, dictionary } = Zstd.decode(body);
      if (dictionary !== undefined) throw new Error('compressor: a zstd dictionary is not supported');
      return { name: 'zstd', level: compressionLevel, checksum: enableChecksum };
    }
    default:
      throw new Error(`compressor: the library ${typeName(typeUrl)} is not supported; gzip, brotli and zstd are`);
  }
}
