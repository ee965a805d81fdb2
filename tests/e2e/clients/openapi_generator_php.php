<?php
// The job by the client that openapi-generator makes for PHP, on Debian's Guzzle.

require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class) {
    $path = getenv('GENERATED') . '/lib/' . strtr(substr($class, strlen('OpenAPI\\Client\\')), '\\', '/') . '.php';
    if (str_starts_with($class, 'OpenAPI\\Client\\') && is_file($path)) {
        require $path;
    }
});

use OpenAPI\Client\Api\IncidentsApi;
use OpenAPI\Client\Api\JwtApi;
use OpenAPI\Client\Api\UsersApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model;

class Client
{
    private Configuration $configuration;
    private IncidentsApi $incidents;

    public function __construct(string $url)
    {
        $this->configuration = (new Configuration())->setHost($url);
        $this->incidents = new IncidentsApi(null, $this->configuration);
    }

    public function use_token(string $token): void
    {
        $this->configuration->setAccessToken($token);
    }

    public function log_in(string $username, string $password): Model\TokenObtain
    {
        $body = new Model\TokenObtainRequest(['username' => $username, 'password' => $password]);
        $tokens = (new JwtApi(null, $this->configuration))->jwtCreateCreate($body);
        $this->use_token($tokens->getAccess());
        return $tokens;
    }

    public function renew(string $refresh): Model\TokenRefresh
    {
        $api = new JwtApi(null, $this->configuration);
        $renewed = $api->jwtRefreshCreate(new Model\TokenRefreshRequest(['refresh' => $refresh]));
        $api->jwtVerifyCreate(new Model\TokenVerifyRequest(['token' => $renewed->getAccess()]));
        return $renewed;
    }

    public function record(string $description, string $source, string $key): array
    {
        $body = new Model\IncidentRequest(['description' => $description, 'source' => $source]);
        [$incident, , $headers] = $this->incidents->incidentsCreateWithHttpInfo($body, $key);
        $replayed = ($headers['Idempotency-Replayed'][0] ?? '') === 'true';
        return ['incident' => $incident, 'etag' => $headers['ETag'][0], 'replayed' => $replayed];
    }

    public function list(string $created_after, array $status, string $search, int $page, int $page_size): object
    {
        return $this->incidents->incidentsList(
            created_after: $created_after, // 7.26 throws for the DateTime that it documents
            status: $status,
            search: $search,
            page: $page,
            page_size: $page_size,
        );
    }

    public function read(int $id): array
    {
        [$incident, , $headers] = $this->incidents->incidentsRetrieveWithHttpInfo($id);
        return ['incident' => $incident, 'etag' => $headers['ETag'][0]];
    }

    public function change(int $id, string $status, string $if_match): array
    {
        $body = new Model\PatchedIncidentRequest(['status' => $status]);
        [$incident, , $headers] = $this->incidents->incidentsPartialUpdateWithHttpInfo(
            $id,
            if_match: $if_match,
            patched_incident_request: $body,
        );
        return ['incident' => $incident, 'etag' => $headers['ETag'][0]];
    }

    public function comment(int $id, string $text): Model\IncidentChange
    {
        return $this->incidents->incidentsCommentsCreate($id, new Model\CommentRequest(['text' => $text]));
    }

    public function history(int $id): Model\PaginatedIncidentChangeList
    {
        return $this->incidents->incidentsHistoryList($id);
    }

    public function name_oneself(string $first_name): Model\User
    {
        $body = new Model\PatchedUserRequest(['first_name' => $first_name]);
        return (new UsersApi(null, $this->configuration))->usersMePartialUpdate(patched_user_request: $body);
    }

    public function users(): Model\PaginatedUserList
    {
        return (new UsersApi(null, $this->configuration))->usersList();
    }

    public function delete_oneself(string $password): void
    {
        $body = new Model\CurrentPasswordRequest(['current_password' => $password]);
        (new UsersApi(null, $this->configuration))->usersMeDestroy($body);
    }
}

OpenAPI\Client\ObjectSerializer::setDateTimeFormat('Y-m-d\TH:i:s\Z');
$client = new Client($argv[1]);
while ($line = fgets(STDIN)) {
    $request = json_decode($line, true);
    try {
        $out = $client->{$request['call']}(...$request['arguments']);
    } catch (ApiException $e) {
        $error = $e->getResponseObject()->getErrors()[0];
        $out = ['status' => $e->getCode(), 'code' => $error->getCode(), 'attr' => $error->getAttr()];
    }
    echo json_encode($out, JSON_THROW_ON_ERROR), "\n";
}
