-- Makes a store one of version 4, whose rows are not signed. A service that is started with --accept-loss signs them as they are then.
ALTER TABLE key DROP COLUMN mac;
ALTER TABLE key_grant DROP COLUMN mac;
ALTER TABLE object DROP COLUMN mac;
ALTER TABLE token DROP COLUMN mac;
ALTER TABLE pin DROP COLUMN mac;
ALTER TABLE seal DROP COLUMN head;
DROP TABLE decision;
DROP TABLE acceptance;
PRAGMA user_version = 4;
