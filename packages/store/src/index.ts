export { openStore, type Store, transaction } from './open.ts'
