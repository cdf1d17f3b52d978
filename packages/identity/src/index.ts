/** The certificate of a workload: asked of the CA, renewed, told to everybody who shows it. Keys live in memory only. */

export {
  type CreateIdentityOptions,
  createIdentity,
  Identity,
  type IdentityOptions,
  type IdentityState,
  type SignCsr,
} from './identity.ts';
