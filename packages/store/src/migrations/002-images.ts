/**
 * Images. The config document is kept as bytes: its sha256 is the image's id. Layers (committed snapshots) form trees by
 * parent; `id` names the directory `snapshots/<id>`. Blobs are the layers' archives as they came, in `content/`.
 * A layer stays as long as it is referenced from an image, from a child layer or from a container.
 */
export const migration002 = `
CREATE TABLE blobs (
  digest      TEXT PRIMARY KEY,
  size        INTEGER NOT NULL CHECK (size >= 0),
  compression TEXT NOT NULL CHECK (compression IN ('none', 'gzip', 'zstd', 'bzip2', 'xz')),
  diff_id     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_by_size ON blobs (size);

CREATE TABLE layers (
  id        INTEGER PRIMARY KEY,
  chain_id  TEXT NOT NULL UNIQUE,
  parent_id INTEGER REFERENCES layers (id),
  diff_id   TEXT NOT NULL,
  size      INTEGER NOT NULL CHECK (size >= 0),
  blob      TEXT NOT NULL REFERENCES blobs (digest)
) STRICT;
CREATE INDEX layers_by_parent ON layers (parent_id);
CREATE INDEX layers_by_blob ON layers (blob);

CREATE TABLE images (
  id             TEXT PRIMARY KEY CHECK (id GLOB 'sha256:*' AND length(id) = 71),
  config         BLOB NOT NULL,
  created_at_ns  INTEGER NOT NULL,
  tagged_at_ns   INTEGER NOT NULL,
  top_layer      INTEGER REFERENCES layers (id),
  parent         TEXT REFERENCES images (id) ON DELETE SET NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX images_by_top_layer ON images (top_layer);
CREATE INDEX images_by_parent ON images (parent);

CREATE TABLE image_tags (
  repository TEXT NOT NULL,
  tag        TEXT NOT NULL,
  image_id   TEXT NOT NULL REFERENCES images (id),
  PRIMARY KEY (repository, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_tags_by_image ON image_tags (image_id);

CREATE TABLE image_digests (
  repository TEXT NOT NULL,
  digest     TEXT NOT NULL,
  image_id   TEXT NOT NULL REFERENCES images (id),
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_digests_by_image ON image_digests (image_id);

CREATE TABLE container_layers (
  container_id TEXT PRIMARY KEY,
  top_layer    INTEGER REFERENCES layers (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX container_layers_by_layer ON container_layers (top_layer);
`
