declare module 'lz4js'
declare module 'snappyjs'
