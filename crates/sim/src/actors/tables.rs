//! Two writers of one Iceberg table, who commit through its catalog: what was acknowledged stays, whoever else commits.

use fogbank_testkit::{Value, json};

use super::{Acted, Actor, Possible};
use crate::chance::Chance;
use crate::life::{Answer, Broken, Life, hold};

const BUCKET: &str = "arn:aws:s3tables:us-east-1:000000000000:bucket/lake";
const WRITERS: usize = 2;

/// Both writers.
pub(crate) fn all(chance: &mut Chance) -> Vec<Box<dyn Actor>> {
    (0..WRITERS)
        .map(|number| Box::new(Tables::new(number, chance.fork())) as Box<dyn Actor>)
        .collect()
}

/// Counts in a property of its own.
struct Tables {
    chance: Chance,
    number: usize,
    name: String,
    last: u64,
    count: Possible<u64>,
}

fn table() -> Value {
    json!({"tableBucketARN": BUCKET, "namespace": "sales", "name": "orders"})
}

impl Tables {
    fn new(number: usize, chance: Chance) -> Tables {
        let name = format!("table-{number}");
        Tables { chance, number, name, last: 0, count: Possible::new(0) }
    }

    async fn call(&self, life: &Life, operation: &str, input: Value) -> Answer {
        life.call(&self.name, &format!("s3tables:{operation}"), input).await
    }

    async fn commit(&mut self, life: &Life) -> Result<(), Broken> {
        self.last += 1;
        self.count.begin(self.last);
        let mut input = table();
        input["requirements"] = json!([]);
        let updates = json!({ &*self.name: self.last.to_string() });
        input["updates"] = json!([{"action": "set-properties", "updates": updates}]);
        match self.call(life, "IcebergCommitTable", input).await {
            Answer::Done(output) => {
                let told = &output["metadata"]["properties"][&*self.name];
                hold!(*told == json!(self.last.to_string()), "a commit answers {told}");
                self.count.settle();
            }
            Answer::Refused(name) => {
                hold!(name == "CommitFailedException", "a commit was refused: {name}");
                self.count.refuse();
            }
            Answer::Unknown => {}
        }
        Ok(())
    }

    async fn load(&mut self, life: &Life) -> Result<bool, Broken> {
        let answer = self.call(life, "IcebergLoadTable", table()).await;
        let Some(output) = answer.done("IcebergLoadTable")? else { return Ok(false) };
        let told = output["metadata"]["properties"][&*self.name].as_str().unwrap_or("0");
        let count = told.parse().map_err(|_| Broken(format!("the count is {told}")))?;
        self.count.see(&count, "the count")?;
        Ok(true)
    }
}

impl Actor for Tables {
    fn prepare<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.number > 0 {
                return Ok(());
            }
            let field = json!({"id": 1, "name": "id", "type": "long", "required": true});
            let mut created = table();
            created["schema"] = json!({"type": "struct", "fields": [field]});
            for (operation, input) in [
                ("CreateTableBucket", json!({"name": "lake"})),
                ("CreateNamespace", json!({"tableBucketARN": BUCKET, "namespace": ["sales"]})),
                ("IcebergCreateTable", created),
            ] {
                self.call(life, operation, input).await.done(operation)?;
            }
            Ok(())
        })
    }

    fn step<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            match self.chance.percent(40) {
                true => self.load(life).await.map(drop),
                false => self.commit(life).await,
            }
        })
    }

    fn settle<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            hold!(self.load(life).await?, "the table cannot be loaded");
            Ok(())
        })
    }

    fn look<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        self.settle(life)
    }

    /// Its metadata may be too long for a row.
    fn clear<'a>(&'a mut self, life: &'a Life) -> Acted<'a> {
        Box::pin(async move {
            if self.number == 0 {
                self.call(life, "DeleteTable", table()).await.done("DeleteTable")?;
            }
            Ok(())
        })
    }
}
