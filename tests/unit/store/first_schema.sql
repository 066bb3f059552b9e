BEGIN TRANSACTION;
CREATE TABLE toolway_changes (
	revision BIGINT NOT NULL, 
	position INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	id TEXT NOT NULL, 
	value TEXT, 
	secrets TEXT, 
	refers TEXT, 
	PRIMARY KEY (revision, position)
);
INSERT INTO "toolway_changes" VALUES(1,0,'upstreams','1','{"id":"1","nodes":{"127.0.0.1:1980":1}}',NULL,NULL);
INSERT INTO "toolway_changes" VALUES(1,1,'consumers','jack','{"username":"jack"}',NULL,NULL);
INSERT INTO "toolway_changes" VALUES(1,2,'routes','1','{"id":"1","name":"the first","labels":{"env":"a"},"uri":"/a/b"}',NULL,'[["upstreams","1"]]');
INSERT INTO "toolway_changes" VALUES(2,0,'consumers','jack','{"username":"jack","plugins":{"hmac-auth":{"secret":"***"}}}','{"/plugins/hmac-auth/secret":"8c24bae009ce4a21.ALqK1Du9P8volzpeos4wMWhLhjQkPGOcnQReWcPdyTrknxMdwD41z7s="}',NULL);
INSERT INTO "toolway_changes" VALUES(2,1,'routes','gone','{"id":"gone"}',NULL,NULL);
INSERT INTO "toolway_changes" VALUES(3,0,'routes','gone',NULL,NULL,NULL);
CREATE TABLE toolway_facets (
	kind TEXT NOT NULL, 
	field TEXT NOT NULL, 
	text TEXT NOT NULL, 
	id TEXT NOT NULL, 
	PRIMARY KEY (kind, field, text, id)
);
INSERT INTO "toolway_facets" VALUES('routes','name','the first','1');
INSERT INTO "toolway_facets" VALUES('routes','label','env','1');
INSERT INTO "toolway_facets" VALUES('routes','uri','/a/b','1');
CREATE TABLE toolway_links (
	to_kind TEXT NOT NULL, 
	to_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	id TEXT NOT NULL, 
	PRIMARY KEY (to_kind, to_id, kind, id)
);
INSERT INTO "toolway_links" VALUES('upstreams','1','routes','1');
CREATE TABLE toolway_resources (
	kind TEXT NOT NULL, 
	id TEXT NOT NULL, 
	created_index BIGINT NOT NULL, 
	created_position INTEGER NOT NULL, 
	modified_index BIGINT NOT NULL, 
	modified_position INTEGER NOT NULL, 
	PRIMARY KEY (kind, id)
);
INSERT INTO "toolway_resources" VALUES('upstreams','1',1,0,1,0);
INSERT INTO "toolway_resources" VALUES('consumers','jack',1,1,2,0);
INSERT INTO "toolway_resources" VALUES('routes','1',1,2,1,2);
CREATE TABLE toolway_revisions (
	number BIGINT NOT NULL, 
	time BIGINT NOT NULL, 
	actor TEXT NOT NULL, 
	note TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "toolway_revisions" VALUES(1,1795337860188947,'setup','first',3);
INSERT INTO "toolway_revisions" VALUES(2,1795337860204770,'setup','second',2);
INSERT INTO "toolway_revisions" VALUES(3,1795337860216831,'setup','third',1);
CREATE TABLE toolway_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT toolway_schema_pkc PRIMARY KEY (version_num)
);
INSERT INTO "toolway_schema" VALUES('1');
CREATE TABLE toolway_sealing_keys (
	id TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "toolway_sealing_keys" VALUES('8c24bae009ce4a21');
CREATE UNIQUE INDEX toolway_changes_of ON toolway_changes (kind, id, revision);
CREATE UNIQUE INDEX toolway_resources_in_order ON toolway_resources (kind, created_index, created_position);
CREATE INDEX toolway_facets_of ON toolway_facets (kind, id);
CREATE INDEX toolway_links_of ON toolway_links (kind, id);
COMMIT;
