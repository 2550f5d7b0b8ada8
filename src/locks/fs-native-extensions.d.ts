/** The part of the package that is used here; it ships no types of its own. */
declare module 'fs-native-extensions' {
  interface LockOptions {
    shared?: boolean;
  }
  const native: {
    tryLock(fd: number, offset: number, length: number, options?: LockOptions): boolean;
    unlock(fd: number, offset: number, length: number): void;
  };
  export default native;
}
