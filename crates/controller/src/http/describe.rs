//! What the handlers of a kind say of themselves.

use rackweave_api::control::{Body, IDEMPOTENCY_KEY, Object, REVISION};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{
    Components, Content, Header, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

use super::collection::{Collection, parameter};
use super::objects::{PAGE, PAGE_MAX};
use crate::paths::plural;

const JSON: &str = "application/json";

/// Adds a kind's operations and schemas to a document.
pub(super) fn describe<S: ToSchema>(document: &mut OpenApi, collection: Collection) {
    let kind = collection.kind();
    let (one, many) = (kind.name(), plural(kind));
    let schema = capitals(one);
    let components = document.components.get_or_insert_with(Components::new);
    let mut schemas = Vec::new();
    S::schemas(&mut schemas);
    schemas.push((S::name().into_owned(), S::schema()));
    schemas.push((schema.clone(), Object::<S>::schema()));
    schemas.push((format!("{schema}Body"), Body::<S>::schema()));
    schemas.push((format!("{schema}Page"), page(&schema)));
    components.schemas.extend(schemas);
    let operation = |verb: &str, object: &str, words: &str| {
        OperationBuilder::new()
            .tag(one)
            .operation_id(Some(format!("{verb}_{}", object.replace('-', "_"))))
            .summary(Some(words.to_owned()))
    };
    let within = parents(collection);
    let item = [within.clone(), vec![path_parameter(&parameter(kind))]].concat();
    let listed = operation("list", many, &format!("Lists {many} by name."))
        .parameters(Some(within.clone()))
        .parameter(
            query(
                "limit",
                Type::Integer,
                "How many at most; 100 where nothing is said.",
            )
            .schema(Some(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(1))
                    .maximum(Some(PAGE_MAX))
                    .default(Some(PAGE.into())),
            ))
            .build(),
        )
        .parameter(query("after", Type::String, "The `next` of the page before.").build())
        .response("200", answer("The page.", &format!("{schema}Page")));
    let created = operation("create", one, &format!("Makes a {one}."))
        .parameters(Some(within))
        .parameter(idempotency_key())
        .request_body(Some(body(&schema)))
        .response("201", changed(answer("It is made.", &schema)));
    let read = operation("get", one, &format!("Reads a {one}."))
        .parameters(Some(item.clone()))
        .response("200", tagged(answer("It is there.", &schema)));
    let replaced = operation(
        "replace",
        one,
        &format!("Replaces what a {one} is asked to be."),
    )
    .parameters(Some(item.clone()))
    .parameter(if_match())
    .parameter(idempotency_key())
    .request_body(Some(body(&schema)))
    .response("200", changed(answer("It is so.", &schema)));
    let deleted = operation(
        "delete",
        one,
        &format!("Removes a {one}, and what cannot be without it."),
    )
    .parameters(Some(item))
    .parameter(if_match())
    .parameter(idempotency_key())
    .response(
        "204",
        changed(ResponseBuilder::new().description("It is gone.").build()),
    );
    let operations: [(String, HttpMethod, Operation); 5] = [
        (collection.path(), HttpMethod::Get, listed.build()),
        (collection.path(), HttpMethod::Post, created.build()),
        (collection.item_path(), HttpMethod::Get, read.build()),
        (collection.item_path(), HttpMethod::Put, replaced.build()),
        (collection.item_path(), HttpMethod::Delete, deleted.build()),
    ];
    for (path, method, operation) in operations {
        document
            .paths
            .add_path_operation(path, vec![method], operation);
    }
}

/// A kind's name as schemas are called: `FirewallRule`.
fn capitals(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

fn page(schema: &str) -> RefOr<Schema> {
    let items = ArrayBuilder::new().items(Ref::from_schema_name(schema));
    let next = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What to say as `after`; missing on the last page."));
    ObjectBuilder::new()
        .property("items", items)
        .required("items")
        .property("next", next)
        .into()
}

fn parents(collection: Collection) -> Vec<Parameter> {
    let chain = collection.chain();
    let parents = chain.iter().filter(|kind| **kind != collection.kind());
    parents
        .map(|kind| path_parameter(&parameter(*kind)))
        .collect()
}

fn path_parameter(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn query(name: &str, kind: Type, words: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
}

fn header(name: &str, words: &str) -> Parameter {
    query(name, Type::String, words)
        .parameter_in(ParameterIn::Header)
        .build()
}

fn if_match() -> Parameter {
    header(
        "if-match",
        "The `etag` that the object must have for the change to happen.",
    )
}

fn idempotency_key() -> Parameter {
    header(
        IDEMPOTENCY_KEY,
        "Names the change, so that its repetition has the first one's answer; 1 to 128 letters.",
    )
}

fn body(schema: &str) -> utoipa::openapi::request_body::RequestBody {
    let content = Content::new(Some(Ref::from_schema_name(format!("{schema}Body"))));
    RequestBodyBuilder::new()
        .content(JSON, content)
        .required(Some(Required::True))
        .build()
}

fn answer(words: &str, schema: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name(schema)));
    ResponseBuilder::new()
        .description(words)
        .content(JSON, content)
        .build()
}

fn tagged(mut response: Response) -> Response {
    let etag = Header::new(ObjectBuilder::new().schema_type(Type::String));
    response.headers.insert("etag".to_owned(), etag.into());
    response
}

fn changed(response: Response) -> Response {
    let mut response = tagged(response);
    let revision = Header::new(ObjectBuilder::new().schema_type(Type::Integer));
    response
        .headers
        .insert(REVISION.to_owned(), revision.into());
    response
}
