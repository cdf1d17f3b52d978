export {
  type CreateIdentityOptions,
  createIdentity,
  Identity,
  type IdentityOptions,
  type IdentityState,
  type SignCsr,
} from './identity.ts';
